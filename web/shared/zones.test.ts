import assert from "node:assert/strict";
import test from "node:test";
import { clockText, isDay, isZone, minutesOf, momentsOf, mondayOf, offsetAt, plusDays, startOfDay, wallOf } from "./zones";

const iso = (moment: number): string => new Date(moment).toISOString().slice(0, 16);

test("what clocks show is that of the zone, whatever the browser's is", () => {
  const moment = Date.parse("2030-01-15T23:30:00Z");
  assert.deepEqual(wallOf(moment, "Europe/Berlin"), { day: "2030-01-16", minutes: 30 });
  assert.deepEqual(wallOf(moment, "America/New_York"), { day: "2030-01-15", minutes: 18 * 60 + 30 });
  assert.deepEqual(wallOf(moment, "Asia/Kathmandu"), { day: "2030-01-16", minutes: 5 * 60 + 15 });
  assert.equal(offsetAt(moment, "Asia/Kathmandu"), 345);
});

test("days begin at midnight, or as soon as there is one", () => {
  assert.equal(iso(startOfDay("2030-07-01", "Europe/Berlin")), "2030-06-30T22:00");
  assert.equal(iso(startOfDay("2030-07-01", "Pacific/Kiritimati")), "2030-06-30T10:00");
  assert.equal(iso(startOfDay("2030-07-01", "Pacific/Pago_Pago")), "2030-07-01T11:00");
  const skipped = startOfDay("2030-09-08", "America/Santiago"); // midnight becomes one
  assert.deepEqual(wallOf(skipped, "America/Santiago"), { day: "2030-09-08", minutes: 60 });
});

test("a local time is one moment, none or two", () => {
  const times = (day: string, clock: string): string[] => momentsOf({ day, minutes: minutesOf(clock) as number }, "Europe/Berlin").map(iso);
  assert.deepEqual(times("2030-01-15", "09:00"), ["2030-01-15T08:00"]);
  assert.deepEqual(times("2030-03-31", "02:30"), []);
  assert.deepEqual(times("2030-10-27", "02:30"), ["2030-10-27T00:30", "2030-10-27T01:30"]);
});

test("days are counted by the calendar", () => {
  assert.equal(plusDays("2028-02-28", 2), "2028-03-01");
  assert.equal(mondayOf("2030-01-13"), "2030-01-07"); // a Sunday ends its week
  assert.equal(mondayOf("2030-01-14"), "2030-01-14");
  assert.deepEqual(["2030-02-30", "2030-2-3", "x", "2030-02-28"].map(isDay), [false, false, false, true]);
});

test("clocks are written and read", () => {
  assert.deepEqual([clockText(0), clockText(605), clockText(1440)], ["00:00", "10:05", "00:00"]);
  assert.deepEqual(["9:05", "24:00", "24:01", "12:60", "noon"].map(minutesOf), [545, 1440, undefined, undefined, undefined]);
  assert.deepEqual(["Europe/Berlin", "Mars/Olympus"].map(isZone), [true, false]);
});
