/** Times and dates as people read them, by Intl. */
import type { Interval } from "../shared/api";
import { moment } from "./model";

export class Clock {
  private readonly formats = new Map<string, Intl.DateTimeFormat>();
  readonly locale: string;

  constructor(locale: string) {
    // English without a country: a clock of 24 hours, and dates that nobody takes for others.
    this.locale = locale === "en" ? "en-GB" : locale;
  }

  private format(zone: string, kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    const key = `${kind} ${zone}`;
    let found = this.formats.get(key);
    if (!found) {
      found = new Intl.DateTimeFormat(this.locale, { timeZone: zone, ...options });
      this.formats.set(key, found);
    }
    return found;
  }

  time(at: number, zone: string): string {
    return this.format(zone, "time", { hour: "2-digit", minute: "2-digit" }).format(at);
  }

  seconds(at: number, zone: string): string {
    return this.format(zone, "seconds", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
  }

  /** 09:00 – 09:30 */
  span(start: number, end: number, zone: string): string {
    return `${this.time(start, zone)} – ${this.time(end, zone)}`;
  }

  /** Friday 27 November 2026 */
  day(day: string): string {
    return this.format("UTC", "day", { weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(noon(day));
  }

  /** 23 – 29 November 2026 */
  days(first: string, last: string): string {
    return this.format("UTC", "days", { day: "numeric", month: "long", year: "numeric" }).formatRange(noon(first), noon(last));
  }

  /** Fri 27 Nov */
  shortDay(day: string): string {
    return this.format("UTC", "short", { weekday: "short", day: "numeric", month: "short" }).format(noon(day));
  }

  /** Fri 27 Nov 2026, 09:00 */
  dayAndTime(at: number, zone: string): string {
    const options = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const;
    return `${this.format(zone, "date", options).format(at)}, ${this.time(at, zone)}`;
  }

  /** An interval with its date where that is another one than `day`. */
  interval({ startTime, endTime }: Interval, zone: string, day?: string): string {
    const [start, end] = [moment(startTime), moment(endTime)];
    const own = new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(start);
    const span = this.span(start, end, zone);
    return own === day ? span : `${this.format(zone, "near", { weekday: "short", day: "numeric", month: "short" }).format(start)}, ${span}`;
  }
}

const noon = (day: string): number => Date.parse(`${day}T12:00:00Z`);

/** 1 h 30 min */
export function lengthText(minutes: number): string {
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours ? `${hours} h` : "", rest || !hours ? `${rest} min` : ""].filter(Boolean).join(" ");
}
