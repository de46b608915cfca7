import assert from "node:assert/strict";
import test from "node:test";
import {
  addMonths, Clock, countdown, Dates, dayIn, firstDayOfWeek, placeOf, sameClock, sameClocks, sameDayIn,
  spanOf, weeksOf,
} from "./dates";
import { isZone, plusDays } from "../shared/zones";

/** Every half hour from an instant on. */
const every = (start: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => new Date(Date.parse(start) + n * 1800_000).toISOString());

test("a date has no zone, also over the changes of clocks", () => {
  assert.equal(plusDays("2030-03-30", 1), "2030-03-31");
  assert.equal(plusDays("2030-10-27", 1), "2030-10-28");
  assert.equal(plusDays("2028-02-28", 1), "2028-02-29");
  assert.equal(plusDays("2030-01-01", -1), "2029-12-31");
  assert.equal(addMonths("2030-01", 1), "2030-02");
  assert.equal(addMonths("2030-12", 1), "2031-01");
  assert.equal(addMonths("2030-01", -1), "2029-12");
  assert.equal(sameDayIn("2030-02", "2030-01-31"), "2030-02-28");
  assert.equal(sameDayIn("2030-03", "2030-01-15"), "2030-03-15");
});

test("a month has all of its days once, under their weekdays", () => {
  for (const firstDay of [1, 7, 6]) {
    for (let month = "2026-01"; month < "2031-01"; month = addMonths(month, 1)) {
      const weeks = weeksOf(month, firstDay);
      const days = weeks.flat().filter((day) => day !== undefined);
      assert.equal(new Set(days).size, days.length);
      assert.equal(days[0], `${month}-01`);
      assert.equal(plusDays(days[days.length - 1] as string, 1), `${addMonths(month, 1)}-01`);
      for (const week of weeks) {
        assert.equal(week.length, 7);
        week.forEach((day, at) => {
          if (day) assert.equal(new Date(`${day}T00:00:00Z`).getUTCDay(), (firstDay + at) % 7);
        });
      }
    }
  }
});

test("a week begins where the region has it", () => {
  assert.equal(firstDayOfWeek("en-US"), 7);
  assert.equal(firstDayOfWeek("en-GB"), 1);
  assert.equal(firstDayOfWeek("pt-BR"), 7);
  for (const language of ["de", "fr", "es", "it", "nl", "pl"]) assert.equal(firstDayOfWeek(language), 1);
  assert.deepEqual(new Dates("de").weekdays(1).map(({ short }) => short), ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]);
  assert.equal(new Dates("en-US").weekdays(7)[0]?.long, "Sunday");
});

test("the day of an instant is that of the zone", () => {
  assert.equal(dayIn("2030-01-15T23:30:00Z", "UTC"), "2030-01-15");
  assert.equal(dayIn("2030-01-15T23:30:00Z", "Europe/Berlin"), "2030-01-16");
  assert.equal(dayIn("2030-01-15T02:00:00Z", "America/New_York"), "2030-01-14");
  assert.equal(dayIn("2030-01-15T18:29:59Z", "Asia/Kolkata"), "2030-01-15");
  assert.equal(dayIn("2030-01-15T18:30:00Z", "Asia/Kolkata"), "2030-01-16");
  assert.equal(dayIn("2030-01-15T11:15:00Z", "Pacific/Chatham"), "2030-01-16");
  assert.equal(dayIn("2030-01-15T00:00:00Z", "Pacific/Kiritimati"), "2030-01-15");
});

test("a day of 25 hours shows each of its times once", () => {
  // On 27 October 2030, Berlin has two o'clock twice.
  const clock = new Clock("en-GB", "Europe/Berlin");
  const day = every("2030-10-26T22:00:00Z", 50);
  assert(day.every((instant) => clock.day(instant) === "2030-10-27"));
  assert.equal(clock.day(every("2030-10-26T22:00:00Z", 51)[50] as string), "2030-10-28");
  const texts = clock.times(day);
  assert.equal(new Set(texts).size, 50);
  assert.equal(texts.filter((text) => /GMT/.test(text)).length, 4);
  assert.match(texts[4] as string, /^0?2:00.*GMT\+2/);
  assert.match(texts[6] as string, /^0?2:00.*GMT\+1/);
  assert.equal(texts[0], "00:00");
});

test("a day of 23 hours has no time that its clock skips", () => {
  // On 31 March 2030, Berlin goes from two to three o'clock.
  const clock = new Clock("de", "Europe/Berlin");
  const texts = clock.times(every("2030-03-30T23:00:00Z", 46));
  assert.equal(texts.filter((text) => text.startsWith("02:")).length, 0);
  assert.equal(texts[3], "01:30");
  assert.equal(texts[4], "03:00");
  assert.equal(texts[45], "23:30");
});

test("zones of half an hour and of quarters are shown as they are", () => {
  assert.equal(new Clock("en-GB", "Asia/Kolkata").time("2030-01-15T09:00:00Z"), "14:30");
  assert.equal(new Clock("en-GB", "Asia/Kathmandu").time("2030-01-15T09:00:00Z"), "14:45");
  assert.equal(new Clock("en-GB", "Australia/Lord_Howe").time("2030-07-15T09:00:00Z"), "19:30");
});

test("clocks are the same or they are not, whatever the zones are called", () => {
  const now = "2030-01-15T09:00:00Z";
  assert(sameClocks(now, "Europe/Berlin", "Europe/Paris"));
  assert(sameClocks(now, "Asia/Kolkata", "Asia/Calcutta"));
  assert(!sameClocks(now, "Europe/Berlin", "America/New_York"));
  assert(!sameClocks(now, "Europe/London", "UTC"), "in winter alone they are");
  assert(sameClock(now, "Europe/London", "UTC"));
  assert(!sameClock("2030-07-15T09:00:00Z", "Europe/London", "UTC"));
});

test("dates and times are written as languages write them", () => {
  const instant = "2030-01-15T14:05:00Z";
  const berlin = (language: string) => new Clock(language, "Europe/Berlin");
  assert.equal(berlin("de").date(instant), "Dienstag, 15. Januar 2030");
  assert.equal(berlin("fr").date(instant), "mardi 15 janvier 2030");
  assert.match(berlin("en-US").time(instant), /^3:05\sPM$/);
  assert.equal(berlin("pl").time(instant), "15:05");
  assert.match(berlin("nl").moment(instant), /^di 15 jan, 15:05$/);
  assert.equal(new Dates("es").month("2030-01"), "enero de 2030");
  assert.equal(new Dates("it").long("2030-01-15"), "martedì 15 gennaio");
  for (const language of ["en", "de", "fr", "es", "pt", "it", "nl", "pl"]) assert.equal(new Dates(language).number("2030-01-05"), "5");
});

test("spans, countdowns and places are short", () => {
  assert.equal(spanOf(30, "en"), "30 minutes");
  assert.equal(spanOf(90, "de"), "90 Minuten");
  assert.equal(spanOf(150, "en"), "2 hours 30 minutes");
  assert.match(spanOf(1440, "fr"), /^1\sjour$/);
  assert.equal(countdown(599.2), "10:00");
  assert.equal(countdown(61), "1:01");
  assert.equal(countdown(-3), "0:00");
  assert.equal(placeOf("America/Argentina/Buenos_Aires"), "Buenos Aires");
  assert.equal(placeOf("UTC"), "UTC");
  assert(isZone("Europe/Berlin"));
  assert(!isZone("Mars/Olympus"));
});
