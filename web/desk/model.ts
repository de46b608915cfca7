/** What the API answers, as far as the desk uses it, and what follows from it. */

import { clockText, isZone, momentsOf, wallOf } from "../shared/zones";

export interface Hours {
  start: string;
  end: string;
}

export interface Calendar {
  calendarId: string;
  title?: string;
  timeZone: string;
  workingHours?: Record<string, Hours[]>;
  overrides?: Record<string, Hours[]>;
  capacity: number;
  version: number;
}

export interface Service {
  serviceId: string;
  title?: string;
  description?: string;
  steps: { durationMinutes: number; resourceIds?: string[]; pools?: { anyOf: string[] }[] }[];
  deletedAt?: string;
}

export interface Contact {
  name?: string;
  email?: string;
  phone?: string;
  locale?: string;
}

export type Status =
  | "held"
  | "requested"
  | "scheduled"
  | "arrived"
  | "completed"
  | "no_show"
  | "cancelled"
  | "declined"
  | "expired";

export interface Appointment {
  appointmentId: string;
  userId: string;
  startTime: string;
  endTime: string;
  resourceIds: string[];
  details: Record<string, unknown>;
  status: Status;
  version: number;
  timeZone?: string;
  contact?: Contact;
  expiresAt?: string;
  confirmedAt?: string;
  serviceId?: string;
  steps?: { startTime: string; endTime: string; resourceIds: string[] }[];
  session?: { seats: number };
  sessionId?: string;
  seats?: number;
}

export interface Block {
  blockId: string;
  calendarId: string;
  startTime: string;
  endTime: string;
  reason?: string;
}

export interface Page {
  appointments: Appointment[];
  blocks?: Block[];
  nextCursor?: string;
}

export interface HistoryEntry {
  version: number;
  at: string;
  by: string;
  type: string;
  changes: Record<string, { from?: unknown; to?: unknown }>;
}

/** A part of an appointment on one calendar. */
export interface Segment {
  start: number;
  end: number;
}

export const moment = (text: string): number => Date.parse(text);
/** As requests and answers have it: in UTC, without fractions. */
export const utcText = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");

/** Where an appointment lies on a calendar: a service's steps take calendars only for their time. */
export function segmentsOn(appointment: Appointment, calendarId: string): Segment[] {
  const whole = { start: moment(appointment.startTime), end: moment(appointment.endTime) };
  if (appointment.userId === calendarId) return [whole];
  if (appointment.steps?.length) {
    const own = appointment.steps.filter((step) => step.resourceIds.includes(calendarId));
    return own.map((step) => ({ start: moment(step.startTime), end: moment(step.endTime) }));
  }
  return appointment.resourceIds.includes(calendarId) ? [whole] : [];
}

/** Every calendar that an appointment lies on, the person's own first. */
export function calendarsOf(appointment: Appointment): string[] {
  const steps = appointment.steps?.flatMap((step) => step.resourceIds) ?? [];
  return [...new Set([appointment.userId, ...appointment.resourceIds, ...steps])];
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value.trim() ? value.trim() : undefined);

/** Who it is, as a person says it. */
export function personOf(appointment: Appointment): string {
  return text(appointment.contact?.name) ?? text(appointment.details["contact"]) ?? appointment.userId;
}

/** Whether it is of somebody who is called so, whatever the case and the accents. */
export function isOf(appointment: Appointment, wanted: string): boolean {
  const { userId, contact } = appointment;
  const plain = (part: string): string => part.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return plain([personOf(appointment), userId, contact?.email, contact?.phone].join(" ")).includes(plain(wanted));
}

/** What it is about, if anybody said so. */
export function subjectOf(appointment: Appointment, services: ReadonlyMap<string, Service>): string | undefined {
  const service = appointment.serviceId;
  const named = service === undefined ? undefined : (services.get(service)?.title ?? service);
  return text(appointment.details["title"]) ?? named ?? (appointment.session ? "Session" : undefined);
}

/** How long a service takes at least, with the pauses that it needs. */
export function minutesOfService(service: Service): number {
  return service.steps.reduce((sum, step) => sum + step.durationMinutes, 0);
}

/**
 * A moment as a change names it: by the clock of the appointment's own zone, where it has one and the time is clear, so
 * that it keeps its length on the wall; else in UTC.
 */
export function stamp({ timeZone }: Appointment, at: number): string {
  if (timeZone === undefined || !isZone(timeZone) || at % 60_000 !== 0) return utcText(at);
  const wall = wallOf(at, timeZone);
  return momentsOf(wall, timeZone).length === 1 ? `${wall.day}T${clockText(wall.minutes)}` : utcText(at);
}

export interface Target {
  start: number;
  end: number;
  /** The calendar that it is dragged to, and the one that it came from. */
  calendarId: string;
  from: string;
}

/** What a move asks for: only what differs. A service decides its end and its calendars, so the server answers about them. */
export function moveBody(appointment: Appointment, target: Target): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const [start, end] = [moment(appointment.startTime), moment(appointment.endTime)];
  if (target.start !== start) body["startTime"] = stamp(appointment, target.start);
  if (target.end - target.start !== end - start) body["endTime"] = stamp(appointment, target.end);
  if (target.calendarId !== target.from) {
    body["resourceIds"] = movedTo(appointment.resourceIds, target.from, target.calendarId);
  }
  return body;
}

/** Calendars with one in the place of another; one that was there already stays once. */
export function movedTo(resourceIds: readonly string[], from: string, to: string): string[] {
  return [...new Set(resourceIds.map((id) => (id === from ? to : id)))];
}

/** Why this cannot be dragged to another calendar at all; `undefined` where the server decides. */
export function unmovable(appointment: Appointment, target: Target): string | undefined {
  if (target.calendarId === target.from) return undefined;
  if (appointment.userId === target.from) return "This is the person’s own calendar. Book another appointment to change the person.";
  return undefined;
}

/** What gives an appointment back the status that it had, or the times and calendars. */
export function backBody(before: Appointment, now: Appointment): Record<string, unknown> {
  if (before.status !== now.status) return { status: before.status };
  const body: Record<string, unknown> = {};
  if (before.startTime !== now.startTime || before.endTime !== now.endTime) body["startTime"] = stamp(now, moment(before.startTime));
  if (before.serviceId) return body;
  const length = (one: Appointment): number => moment(one.endTime) - moment(one.startTime);
  if (length(before) !== length(now)) body["endTime"] = stamp(now, moment(before.endTime));
  if (before.resourceIds.join() !== now.resourceIds.join()) body["resourceIds"] = before.resourceIds;
  return body;
}
