/** What the calendars are called. It is told once, when they are loaded, and asked wherever one is shown. */
import type { Calendar } from "./model";

const names = new Map<string, string>();

/** The names of all calendars: their titles. Two of one title are told apart by their ids. */
export function nameAll(calendars: readonly Pick<Calendar, "calendarId" | "title">[]): void {
  names.clear();
  const titled = calendars.flatMap(({ calendarId, title }) => (title?.trim() ? [{ calendarId, title: title.trim() }] : []));
  for (const { calendarId, title } of titled) {
    const alone = titled.every((one) => one.title !== title || one.calendarId === calendarId);
    names.set(calendarId, alone ? title : `${title} (${calendarId})`);
  }
}

/** A calendar's name, and its id where it has none. */
export const nameOf = (calendarId: string): string => names.get(calendarId) ?? calendarId;

export const namesOf = (calendarIds: readonly string[]): string => calendarIds.map(nameOf).join(", ");

/** By name, as people look for them. */
export const byName = (one: string, other: string): number => nameOf(one).localeCompare(nameOf(other));
