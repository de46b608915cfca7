/** What is typed into the forms of the desk, and what is asked of the server for it. */
import { clockText, minutesOf, momentsOf, wallOf } from "../shared/zones";
import { utcText } from "./model";

/** A time as a form has it. `exact` is the moment that was chosen on the grid, which says more in an hour that comes twice. */
export interface When {
  day: string;
  clock: string;
  minutes: number;
  zone: string;
  exact?: number;
}

export function whenOf(start: number, end: number, zone: string): When {
  const { day, minutes } = wallOf(start, zone);
  return { day, clock: clockText(minutes), minutes: Math.round((end - start) / 60_000), zone, exact: start };
}

/** The moment that is meant; `undefined` where the form has none, or the clock skips it. */
export function startOf({ day, clock, zone, exact }: When): number | undefined {
  const minutes = minutesOf(clock);
  if (minutes === undefined) return undefined;
  const moments = momentsOf({ day, minutes }, zone);
  return moments.find((moment) => moment === exact) ?? moments[0];
}

/**
 * Start and end for a request: as local times where these are clear, so that the appointment keeps its length on the wall
 * when it is moved. A time that is skipped is sent as it is, for the server to say so.
 */
export function timesOf(when: When): { startTime: string; endTime: string; timeZone: string } {
  const start = startOf(when);
  const local = { startTime: `${when.day}T${when.clock}`, timeZone: when.zone };
  if (start === undefined) return { ...local, endTime: local.startTime };
  const end = start + when.minutes * 60_000;
  const [first, last] = [wallOf(start, when.zone), wallOf(end, when.zone)];
  const clear = momentsOf(first, when.zone).length === 1 && momentsOf(last, when.zone).length === 1;
  if (clear) return { ...local, endTime: `${last.day}T${clockText(last.minutes)}` };
  return { startTime: utcText(start), endTime: utcText(end), timeZone: when.zone };
}

export interface Draft {
  when: When;
  calendarIds: string[];
  serviceId: string;
  person: string;
  name: string;
  phone: string;
  email: string;
  title: string;
  hold: boolean;
}

/** The body of a booking. Somebody new gets an id that says nothing about them; `newId` makes it. */
export function bookingOf(draft: Draft, newId: () => string): Record<string, unknown> {
  const { name, phone, email, title } = draft;
  const reached = phone.trim() || email.trim();
  const contact = {
    ...(name.trim() ? { name: name.trim() } : {}),
    ...(phone.trim() ? { phone: phone.replace(/[\s()/-]/g, "") } : {}),
    ...(email.trim() ? { email: email.trim() } : {}),
  };
  const details = {
    ...(title.trim() ? { title: title.trim() } : {}),
    ...(name.trim() && !reached ? { contact: name.trim() } : {}),
  };
  const times = timesOf(draft.when);
  const what = draft.serviceId
    ? { serviceId: draft.serviceId, startTime: times.startTime, timeZone: times.timeZone }
    : { ...times, resourceIds: draft.calendarIds };
  return {
    userId: draft.person.trim() || newId(),
    ...what,
    ...(Object.keys(details).length ? { details } : {}),
    ...(reached ? { contact } : {}),
    ...(draft.hold ? { hold: { minutes: 10 } } : {}),
  };
}

/** What a form lacks, in words; empty where it can be sent. */
export function missing(draft: Draft): string[] {
  const faults: string[] = [];
  if (!draft.name.trim() && !draft.person.trim()) faults.push("Say who it is for: a name, or the id of a person.");
  if (!draft.serviceId && draft.calendarIds.length === 0) faults.push("Choose at least one calendar.");
  if (minutesOf(draft.when.clock) === undefined) faults.push("Say when it begins.");
  if (!draft.serviceId && !(draft.when.minutes > 0)) faults.push("Say how long it takes.");
  return faults;
}

/** Whether a text may be an email address or a phone number, and so is looked for as a contact. */
export const isContact = (text: string): boolean => /^\S+@\S+\.\S+$/.test(text) || /^\+?[\d\s()/-]{6,20}$/.test(text);
/** As the server takes it: a phone number has no spaces. */
export const contactText = (text: string): string => (text.includes("@") ? text.trim() : text.replace(/[\s()/-]/g, ""));
