/**
 * Local days and clocks of a time zone, by Intl. Moments are milliseconds since 1970, days are texts such as 2030-01-15,
 * and a clock is minutes since midnight, as a clock on the wall shows them.
 */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
export const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;

export interface Wall {
  day: string;
  minutes: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, found);
  }
  return found;
}

export function isZone(zone: string): boolean {
  try {
    format(zone);
    return true;
  } catch {
    return false;
  }
}

/** How many minutes the zone's clocks are ahead of UTC. */
export function offsetAt(moment: number, zone: string): number {
  const at: Record<string, number> = {};
  for (const { type, value } of format(zone).formatToParts(moment)) at[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = at;
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  return Math.round((local - Math.floor(moment / 1000) * 1000) / MINUTE);
}

const dayOf = (utc: number): string => new Date(utc).toISOString().slice(0, 10);
const utcOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** What clocks in the zone show. */
export function wallOf(moment: number, zone: string): Wall {
  const local = moment + offsetAt(moment, zone) * MINUTE;
  const day = dayOf(local);
  return { day, minutes: Math.floor((local - utcOf(day)) / MINUTE) };
}

export const plusDays = (day: string, days: number): string => dayOf(utcOf(day) + days * DAY);
export const weekday = (day: string): number => new Date(utcOf(day)).getUTCDay();
/** The Monday of the week. */
export const mondayOf = (day: string): string => plusDays(day, -((weekday(day) + 6) % 7));
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(utcOf(text)) && dayOf(utcOf(text)) === text;

const starts = new Map<string, number>();

/** The first moment of a local day. Days begin at midnight, or later where clocks go forward then. */
export function startOfDay(day: string, zone: string): number {
  const key = `${day} ${zone}`;
  let known = starts.get(key);
  if (known === undefined) {
    // Zones are up to 14 hours ahead of UTC, and 12 behind it.
    let [before, from] = [utcOf(day) - 15 * 60 * MINUTE, utcOf(day) + 15 * 60 * MINUTE];
    while (from - before > MINUTE) {
      const middle = before + Math.floor((from - before) / 2 / MINUTE) * MINUTE;
      if (wallOf(middle, zone).day < day) before = middle;
      else from = middle;
    }
    known = from;
    if (starts.size > 2000) starts.clear();
    starts.set(key, known);
  }
  return known;
}

/** The moments at which clocks show this: one, none where they are put forward, two where they are put back. */
export function momentsOf({ day, minutes }: Wall, zone: string): number[] {
  const utc = utcOf(day) + minutes * MINUTE;
  const offsets = new Set([utc - DAY, utc + DAY].map((near) => offsetAt(near, zone)));
  const found = [...offsets].map((offset) => utc - offset * MINUTE);
  return found.filter((moment) => moment + offsetAt(moment, zone) * MINUTE === utc).sort((a, b) => a - b);
}

/** 09:05, for fields of forms and for requests. */
export function clockText(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
}

/** The inverse; `undefined` for what is no time of day. 24:00 is the end of a day. */
export function minutesOf(text: string): number | undefined {
  const match = /^(\d\d?):(\d\d)$/.exec(text);
  const minutes = match ? Number(match[1]) * 60 + Number(match[2]) : -1;
  return match && Number(match[2]) < 60 && minutes <= 1440 ? minutes : undefined;
}
