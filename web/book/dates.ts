/**
 * Months and weeks, and how a language writes dates, times and spans. What clocks of a zone show is in ../shared/zones.
 *
 * A date is text such as 2030-01-15 and has no zone; an instant is text with an offset, as the API answers it.
 */

import { plusDays, wallOf, weekday } from "../shared/zones";

export type Day = string;

/** Seven columns, in the order of the language's week; `undefined` where another month's days would stand. */
export type Week = (Day | undefined)[];

const utc = (day: Day): Date => new Date(`${day}T00:00:00Z`);
const dayOf = (date: Date): Day => date.toISOString().slice(0, 10);

export const monthOf = (day: Day): string => day.slice(0, 7);

export const firstOf = (month: string): Day => `${month}-01`;

export function addMonths(month: string, count: number): string {
  const date = utc(firstOf(month));
  date.setUTCMonth(date.getUTCMonth() + count);
  return monthOf(dayOf(date));
}

/** The same date of another month, or its last one where it is shorter. */
export function sameDayIn(month: string, day: Day): Day {
  const last = plusDays(firstOf(addMonths(month, 1)), -1);
  const wanted = `${month}-${day.slice(8)}`;
  return wanted < last ? wanted : last;
}

/** The weeks of a month. `firstDay` is that of the week: 1 is Monday, 7 Sunday. */
export function weeksOf(month: string, firstDay: number): Week[] {
  const days: Week = [];
  const first = firstOf(month);
  const before = (weekday(first) - (firstDay % 7) + 7) % 7;
  for (let n = 0; n < before; n++) days.push(undefined);
  for (let day = first; monthOf(day) === month; day = plusDays(day, 1)) days.push(day);
  while (days.length % 7) days.push(undefined);
  return Array.from({ length: days.length / 7 }, (_, n) => days.slice(7 * n, 7 * n + 7));
}

/** On which weekday a week begins, as the language's region has it. */
export function firstDayOfWeek(language: string): number {
  type WithWeek = Intl.Locale & { getWeekInfo?: () => { firstDay: number }; weekInfo?: { firstDay: number } };
  const locale = new Intl.Locale(language) as WithWeek;
  const info = locale.getWeekInfo?.() ?? locale.weekInfo;
  if (info) return info.firstDay;
  return ["US", "CA", "MX", "BR"].includes(locale.maximize().region ?? "") ? 7 : 1; // Firefox does not tell
}

/** The date that it is at an instant in a zone. */
export const dayIn = (instant: string, zone: string): Day => wallOf(Date.parse(instant), zone).day;

/** Whether clocks in two zones show the same at an instant. */
export function sameClock(instant: string, one: string, other: string): boolean {
  const [mine, theirs] = [one, other].map((zone) => wallOf(Date.parse(instant), zone));
  return mine?.day === theirs?.day && mine?.minutes === theirs?.minutes;
}

/** Whether the clocks of two zones show the same whenever the booking page could be about. */
export function sameClocks(now: string, one: string, other: string): boolean {
  const start = new Date(now).getTime();
  const month = 30 * 24 * 3600_000;
  return Array.from({ length: 13 }, (_, n) => new Date(start + n * month).toISOString()).every((instant) =>
    sameClock(instant, one, other),
  );
}

/** What people call a zone: New York for America/New_York. */
export const placeOf = (zone: string): string => {
  const place = (zone.split("/").pop() ?? zone).replaceAll("_", " ");
  return RENAMED[place] ?? place;
};

/** Browsers still call some zones by what their places were called before. */
const RENAMED: Record<string, string> = { Calcutta: "Kolkata", Katmandu: "Kathmandu", Kiev: "Kyiv", Rangoon: "Yangon", Saigon: "Ho Chi Minh City" };

/** Writes dates and times as a language does, in one zone. */
export class Clock {
  constructor(
    readonly language: string,
    readonly zone: string,
  ) {}

  time = (instant: string): string => this.written(instant, { timeStyle: "short" });

  /** With its offset, in an hour that comes twice. */
  timeAndOffset = (instant: string): string =>
    this.written(instant, { hour: "numeric", minute: "2-digit", timeZoneName: "shortOffset" });

  date = (instant: string): string =>
    this.written(instant, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

  /** Short: with the weekday and without the year. */
  moment = (instant: string): string =>
    `${this.written(instant, { weekday: "short", day: "numeric", month: "short" })}, ${this.time(instant)}`;

  day = (instant: string): Day => dayIn(instant, this.zone);

  /** The times of one day, in order, each told from every other one. */
  times(instants: readonly string[]): string[] {
    const plain = instants.map(this.time);
    return plain.map((text, n) =>
      plain.indexOf(text) === plain.lastIndexOf(text) ? text : this.timeAndOffset(instants[n] as string),
    );
  }

  private written(instant: string, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.language, { ...options, timeZone: this.zone }).format(new Date(instant));
  }
}

/** Writes dates that have no zone. */
export class Dates {
  constructor(readonly language: string) {}

  long = (day: Day): string => this.written(day, { weekday: "long", day: "numeric", month: "long" });

  month = (month: string): string => this.written(firstOf(month), { month: "long", year: "numeric" });

  number = (day: Day): string => this.written(day, { day: "numeric" }).replace(/\D+$/, "");

  /** The names of the weekdays, of a week that begins so; the short ones for the eye, the long ones for the ear. */
  weekdays(firstDay: number): { short: string; long: string }[] {
    return Array.from({ length: 7 }, (_, n) => plusDays("2024-01-01", ((firstDay + 6) % 7) + n)).map((day) => ({
      short: this.written(day, { weekday: "short" }),
      long: this.written(day, { weekday: "long" }),
    }));
  }

  private written(day: Day, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.language, { ...options, timeZone: "UTC" }).format(utc(day));
  }
}

/** A span such as "1 hour, 30 minutes", as the language writes it. */
export function spanOf(minutes: number, language: string): string {
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long" }).format(value);
  if (minutes % 1440 === 0) return unit(minutes / 1440, "day");
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (minutes < 120) return unit(minutes, "minute");
  return [unit(hours, "hour"), ...(rest ? [unit(rest, "minute")] : [])].join(" ");
}

/** Minutes and seconds of a clock that runs down. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}
