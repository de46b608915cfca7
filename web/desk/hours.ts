/** When a calendar is open on a local day, by its settings. */
import { minutesOf, plusDays, weekday, WEEKDAYS } from "../shared/zones";
import { dayLine, momentOf, type DayLine } from "./axis";
import type { Calendar, Hours } from "./model";

export type Range = readonly [number, number];

/** The hours that begin on a date; `undefined` for a calendar that is always open. */
export function hoursOn(calendar: Calendar, day: string): readonly Hours[] | undefined {
  const override = calendar.overrides?.[day];
  if (override) return override;
  if (!calendar.workingHours) return undefined;
  return calendar.workingHours[WEEKDAYS[weekday(day)] as string] ?? [];
}

/** When the calendar is open within a day, in order. What begins on the day before may last until then. */
export function openRanges(calendar: Calendar, line: DayLine): Range[] {
  const ranges: Range[] = [];
  for (const day of [plusDays(line.day, -1), line.day]) {
    const hours = hoursOn(calendar, day);
    const own = day === line.day ? line : dayLine(day, line.zone);
    if (hours === undefined) {
      ranges.push([own.start, own.end]);
      continue;
    }
    for (const { start, end } of hours) {
      const [first, last] = [minutesOf(start) ?? 0, minutesOf(end) ?? 0];
      const until = last > first ? momentOf(own, last) : momentOf(dayLine(plusDays(day, 1), line.zone), last);
      ranges.push([momentOf(own, first), until]);
    }
  }
  return merged(ranges, line.start, line.end);
}

/** Ranges in order, those that touch as one, as far as they lie between two moments. */
export function merged(ranges: readonly Range[], first: number, end: number): Range[] {
  const found: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const [start, over] = [Math.max(from, first), Math.min(to, end)];
    if (start >= over) continue;
    const last = found[found.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(last[1], over);
    else found.push([start, over]);
  }
  return found;
}

/** What ranges leave of the time between two moments. */
export function rest(ranges: readonly Range[], first: number, end: number): Range[] {
  const left: Range[] = [];
  let at = first;
  for (const [from, to] of merged(ranges, first, end)) {
    if (from > at) left.push([at, from]);
    at = to;
  }
  if (at < end) left.push([at, end]);
  return left;
}
