/** What is shown, as the page's address says it, so that it can be kept as a bookmark. No person is named in it. */
import { isDay, mondayOf, plusDays } from "../shared/zones";

export type View = "day" | "week";

export interface Shown {
  view: View;
  day: string;
  /** In the order of the columns; empty before anybody chose. */
  calendarIds: string[];
  /** One of them, or ALL; `undefined` before anybody chose: a week, and a phone, then show the first. */
  only?: string;
}

export const ALL = "*";

const CALENDAR_ID = /^[A-Za-z0-9._:@+=~|-]{1,128}$/;
export const isCalendarId = (text: string): boolean => CALENDAR_ID.test(text);

export function readAddress(search: string, today: string): Shown {
  const query = new URLSearchParams(search);
  const day = query.get("day") ?? "";
  const ids = (query.get("calendars") ?? "").split(",").filter(isCalendarId);
  const only = query.get("only") ?? "";
  return {
    view: query.get("view") === "week" ? "week" : "day",
    day: isDay(day) ? day : today,
    calendarIds: [...new Set(ids)],
    ...(only === ALL || isCalendarId(only) ? { only } : {}),
  };
}

export function writeAddress({ view, day, calendarIds, only }: Shown, today: string): string {
  const query = new URLSearchParams();
  if (view !== "day") query.set("view", view);
  if (day !== today) query.set("day", day);
  if (calendarIds.length) query.set("calendars", calendarIds.join(","));
  if (only !== undefined) query.set("only", only);
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}

/** The days in view, and the day after them. */
export function daysOf({ view, day }: Pick<Shown, "view" | "day">): { days: string[]; after: string } {
  const first = view === "week" ? mondayOf(day) : day;
  const days = Array.from({ length: view === "week" ? 7 : 1 }, (_, index) => plusDays(first, index));
  return { days, after: plusDays(first, days.length) };
}

export const moved = (shown: Shown, steps: number): string => plusDays(shown.day, steps * (shown.view === "week" ? 7 : 1));
