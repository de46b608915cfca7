/** What the desk says when the server refuses: why, and what can be done instead. */
import type { ApiError, Interval, Problem } from "../shared/api";
import { nameOf } from "./names";

export interface Refusal {
  title: string;
  lines: string[];
  /** What the server offers instead; one click takes one. */
  alternatives: Interval[];
  /** These are within the rules of their calendars. Whether something lies there already, nobody has looked. */
  unsure?: boolean;
  /** The fields that it names, as requests have them, such as `contact.phone`. */
  fields?: readonly string[];
  /** Notice alone is in the way, which the desk may waive. */
  notice?: boolean;
  /** What could be offered is being tried. */
  checking?: boolean;
}

interface FaultWithNearest {
  field: string;
  message: string;
  calendarId?: string;
  nearest?: Interval;
}

const FIELDS: Record<string, string> = {
  startTime: "Start",
  endTime: "End",
  resourceIds: "Calendars",
  userId: "Person",
  contact: "Contact",
  "contact.email": "Email",
  "contact.phone": "Phone",
  details: "Details",
  reason: "Reason",
};

/** What breaking a rule means at a desk. */
const RULES: Record<string, string> = {
  workingHours: "is outside the working hours",
  minNoticeMinutes: "is too soon",
  horizonDays: "is too far ahead",
  minDurationMinutes: "makes it too short",
  maxDurationMinutes: "makes it too long",
  maxPerPersonPerDay: "is on a day that is full for this person",
};
const TIME = "(\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z)";

/**
 * The problem in words for a desk; `clock` writes an interval in the zone that the desk shows. `own` is the time that is
 * kept if nothing is taken, which is no offer.
 */
export function refusalOf(error: ApiError, clock: (interval: Interval) => string, own?: Interval): Refusal {
  const { problem } = error;
  const alternatives = offered(problem, own);
  switch (error.slug) {
    case "conflict":
      return { title: "This time is taken", lines: conflictLines(problem, clock), alternatives };
    case "precondition-failed":
      return { title: "Somebody else changed it", lines: ["You see it now as it is. Nothing of yours was written."], alternatives: [] };
    case "appointment-cancelled":
    case "appointment-ended":
      return { title: "It has ended", lines: [problem.detail ?? ""], alternatives: [] };
    case "appointment-not-found":
    case "block-not-found":
      return { title: "It is not there any more", lines: ["Somebody else removed it."], alternatives: [] };
    case "calendar-busy":
      return { title: "The calendar is busy", lines: [problem.detail ?? "Try again in a moment."], alternatives: [] };
    case "unreachable":
      return { title: "No answer", lines: ["The server could not be reached. You see what it said last. Try again."], alternatives: [] };
    case "forbidden":
      return { title: "Not allowed", lines: [problem.detail ?? ""], alternatives: [] };
    default:
      return { title: problem.errors?.length ? "This cannot be done" : problem.title, lines: faultLines(problem, clock), alternatives, fields: (problem.errors ?? []).map(({ field }) => field), notice: isNotice(problem), unsure: !problem.alternatives?.length };
  }
}

const isNotice = ({ errors = [] }: Problem): boolean => errors.length > 0 && errors.every(({ message }) => message.startsWith("breaks minNoticeMinutes of "));

/** The same request once more, for somebody who stands at the desk. */
export const anyway = (body: Record<string, unknown>): Record<string, unknown> => ({ ...body, ignoreNotice: true });

const timeOf = (one: Interval): string => `${Date.parse(one.startTime)} ${Date.parse(one.endTime)}`;

/** Intervals without those of the same time, which may be written in another way. */
export const eachOnce = (all: readonly Interval[]): Interval[] => [...new Map(all.map((one) => [timeOf(one), one])).values()];

export const byTime = (one: Interval, other: Interval): number => Date.parse(one.startTime) - Date.parse(other.startTime);

/** The server names the nearest first; people read them by the clock. */
function offered(problem: Problem, own?: Interval): Interval[] {
  const found = eachOnce([...(problem.alternatives ?? []), ...nearestOf(problem)]);
  const others = own ? found.filter((one) => timeOf(one) !== timeOf(own)) : found;
  return others.slice(0, 4).sort(byTime);
}

function nearestOf(problem: Problem): Interval[] {
  const faults = (problem.errors ?? []) as FaultWithNearest[];
  const found = new Map<string, Interval>();
  for (const { nearest } of faults) if (nearest) found.set(nearest.startTime, nearest);
  return [...found.values()];
}

function conflictLines(problem: Problem, clock: (interval: Interval) => string): string[] {
  const conflicts = problem.conflicts ?? [];
  const lines = conflicts.slice(0, 3).map((one) => `${nameOf(one.calendarId)}: ${clock(one)}`);
  if (conflicts.length > 3) lines.push(`and ${conflicts.length - 3} more`);
  return lines;
}

function faultLines(problem: Problem, clock: (interval: Interval) => string): string[] {
  const faults = (problem.errors ?? []) as FaultWithNearest[];
  if (!faults.length) return problem.detail ? [problem.detail] : [];
  // What several calendars refuse alike is one line.
  const calendars = new Map<string, string[]>();
  for (const { field, message, calendarId } of faults) {
    const name = FIELDS[field] ?? field;
    const line = `${name ? `${name} ` : ""}${inWords(message, clock)}`;
    calendars.set(line, [...(calendars.get(line) ?? []), ...(calendarId ? [nameOf(calendarId)] : [])]);
  }
  return [...calendars].slice(0, 5).map(([line, names]) => (names.length ? `${names.join(", ")}: ${line}` : line));
}

/** A message of the server without its names of rules, and with times as the desk shows them. */
function inWords(message: string, clock: (interval: Interval) => string): string {
  const span = (whole: string, startTime: string, endTime: string): string => clock({ startTime, endTime }) || whole;
  const time = (whole: string): string => clock({ startTime: whole, endTime: whole }).split(" – ")[0] || whole;
  return message
    .replace(/^must be an existing phone number .*/, "must be a number that exists, with the country code, such as +49 30 123456")
    .replace(/^breaks (\w+) of (?:calendar [^\s;:,]+|the service)/, (whole, rule: string) => RULES[rule] ?? whole)
    .replace("the nearest time that its rules accept is", "the nearest time is")
    .replace(new RegExp(`${TIME} to ${TIME}`, "g"), span)
    .replace(new RegExp(TIME, "g"), time);
}
