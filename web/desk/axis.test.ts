import assert from "node:assert/strict";
import test from "node:test";
import { axisOf, dayLine, gapsOf, momentAt, momentOf, placeOf, ticksOf } from "./axis";

const at = (text: string): number => Date.parse(text);
const HOUR = 3_600_000;

test("an ordinary day is one even piece of 24 hours", () => {
  const line = dayLine("2030-01-15", "Europe/Berlin");
  assert.equal(line.start, at("2030-01-14T23:00:00Z"));
  assert.equal(line.end - line.start, 24 * HOUR);
  assert.equal(line.repeats ?? line.skips, undefined);
  assert.equal(placeOf(axisOf([line]), line, at("2030-01-15T08:30:00Z")), 9.5 * 60);
});

test("a day of 25 hours shows the hour that comes twice as two", () => {
  const line = dayLine("2030-10-27", "Europe/Berlin"); // 03:00 becomes 02:00
  const axis = axisOf([line]);
  assert.equal(line.end - line.start, 25 * HOUR);
  assert.deepEqual(line.repeats, [120, 180]);
  assert.equal(axis.to - axis.from, 25 * 60);
  const places = ["00:30", "01:30", "02:30", "10:00"].map((clock) => placeOf(axis, line, at(`2030-10-27T${clock}:00Z`)));
  assert.deepEqual(places, [150, 210, 270, 12 * 60]); // 02:30, 02:30 again, 03:30, and 11:00 an hour further down
  const ticks = ticksOf(axis).slice(1, 5).map(({ wall, again }) => [wall, again]);
  assert.deepEqual(ticks, [[60, false], [120, false], [120, true], [180, false]]);
});

test("a day of 23 hours lacks the hour that clocks skip", () => {
  const line = dayLine("2030-03-31", "Europe/Berlin"); // 02:00 becomes 03:00
  const axis = axisOf([line]);
  assert.equal(line.end - line.start, 23 * HOUR);
  assert.equal(axis.to - axis.from, 23 * 60);
  assert.deepEqual(axis.cut, [120, 180]);
  assert.equal(placeOf(axis, line, at("2030-03-31T01:00:00Z")), 120); // 03:00 comes right after 01:59
  assert.deepEqual(ticksOf(axis).slice(0, 4).map(({ wall }) => wall), [0, 60, 180, 240]);
  assert.deepEqual(gapsOf(axis, line), []);
});

test("in a week, the other days have a gap where one has an hour more, or that one where it has one less", () => {
  const autumn = ["2030-10-26", "2030-10-27"].map((day) => dayLine(day, "Europe/Berlin"));
  const longer = axisOf(autumn);
  assert.deepEqual(autumn.map((line) => gapsOf(longer, line)), [[[180, 240]], []]);
  const spring = ["2030-03-30", "2030-03-31"].map((day) => dayLine(day, "Europe/Berlin"));
  const shorter = axisOf(spring);
  assert.equal(shorter.cut, undefined);
  assert.deepEqual(spring.map((line) => gapsOf(shorter, line)), [[], [[120, 180]]]);
  // The clock of both is side by side all the same.
  for (const [axis, lines] of [[longer, autumn], [shorter, spring]] as const) {
    const places = lines.map((line) => placeOf(axis, line, momentOf(line, 9 * 60)));
    assert.equal(places[0], places[1]);
  }
});

test("every place leads back to its moment, in every kind of zone", () => {
  const days: [string, string][] = [
    ["2030-10-27", "Europe/Berlin"],
    ["2030-03-31", "Europe/Berlin"],
    ["2030-11-03", "America/New_York"],
    ["2030-04-07", "Australia/Lord_Howe"], // half an hour
    ["2030-10-06", "Australia/Lord_Howe"],
    ["2030-09-08", "America/Santiago"], // at midnight
    ["2030-04-06", "America/Santiago"],
    ["2030-06-01", "Asia/Kathmandu"],
  ];
  for (const [day, zone] of days) {
    const line = dayLine(day, zone);
    const axis = axisOf([line]);
    for (let moment = line.start; moment < line.end; moment += 5 * 60_000) {
      assert.equal(momentAt(axis, line, placeOf(axis, line, moment)), moment, `${zone} ${new Date(moment).toISOString()}`);
    }
    assert.equal(placeOf(axis, line, line.end), axis.to, zone);
  }
});

test("a place in a gap is the moment at which the clock jumps", () => {
  const lines = ["2030-03-30", "2030-03-31"].map((day) => dayLine(day, "Europe/Berlin"));
  const axis = axisOf(lines);
  const line = dayLine("2030-03-31", "Europe/Berlin");
  assert.equal(momentAt(axis, line, 150), at("2030-03-31T01:00:00Z"));
});

test("an axis may show a part of the day", () => {
  const line = dayLine("2030-10-27", "Europe/Berlin");
  const axis = axisOf([line], 8 * 60, 18 * 60);
  assert.equal(axis.to - axis.from, 600);
  assert.equal(momentAt(axis, line, axis.from), at("2030-10-27T07:00:00Z"));
});
