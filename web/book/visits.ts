/** What the page asks the API for: the calls of visitors, who have a booking link or the token of what they hold. */

import { type Api, ApiError } from "../shared/api";
import type { Schemas } from "../shared/types";
import type { Day } from "./dates";

export type Facts = Schemas["BookableServiceWithZone"];
export type Offered = Schemas["BookableService"];
export type Visit = Schemas["Visit"];
export type Contact = Schemas["Contact"];
export type Slot = Schemas["Interval"];

/** From one date to before another one, each from its first moment in the zone. */
export interface Span {
  from: Day;
  to: Day;
  zone: string;
}

export class Visits {
  constructor(
    private readonly api: Api,
    private readonly key: string | undefined,
  ) {}

  async services(): Promise<Offered[]> {
    return (await this.api.get<Schemas["BookableServices"]>("book/services", { key: this.key })).services;
  }

  facts = (service: string): Promise<Facts> => this.api.get(path(service), { key: this.key });

  /** How many times are free on each date. */
  async days(service: string, span: Span, signal: AbortSignal): Promise<Map<Day, number>> {
    const found = await this.api.get<Schemas["AvailableDays"]>(`${path(service)}/days`, this.query(span), { signal });
    return new Map(found.days.map(({ date, available }) => [date, available]));
  }

  async times(service: string, span: Span, limit: number | undefined, signal: AbortSignal): Promise<Slot[]> {
    const query = { ...this.query(span), limit };
    return (await this.api.get<Schemas["Availability"]>(`${path(service)}/times`, query, { signal })).available;
  }

  /** Under the same `key`, what was made is answered again. */
  hold = (service: string, startTime: string, key: string): Promise<Visit> => this.make(service, { startTime }, key);

  book = (service: string, startTime: string, contact: Contact, key: string): Promise<Visit> =>
    this.make(service, { startTime, contact }, key);

  get = (token: string): Promise<Visit> => this.api.get(`book/appointments/${encodeURIComponent(token)}`);

  confirm = (token: string, contact: Contact): Promise<Visit> =>
    this.api.patch(`book/appointments/${encodeURIComponent(token)}`, { contact });

  /** Lets go what is held, also while the page is being left. A hold ends by itself, so a failure matters to nobody. */
  async release(token: string): Promise<void> {
    const url = this.api.url(`book/appointments/${encodeURIComponent(token)}`);
    await fetch(url, { method: "DELETE", keepalive: true, credentials: "omit" }).catch(() => undefined);
  }

  /** The page on which an appointment is moved and cancelled. */
  link = (token: string): string => this.api.url(`l/${token}`).href;

  calendarFile = (token: string): string => this.api.url(`book/appointments/${token}/calendar`).href;

  private make(service: string, body: unknown, idempotencyKey: string): Promise<Visit> {
    return this.api.post(`${path(service)}/appointments`, body, { query: { key: this.key }, idempotencyKey });
  }

  private query({ from, to, zone }: Span): Record<string, string | undefined> {
    return { key: this.key, from: `${from}T00:00:00`, to: `${to}T00:00:00`, timeZone: zone };
  }
}

const path = (service: string): string => `book/services/${encodeURIComponent(service)}`;

/** A random UUID, also where the page is not served by https, as on a machine of one's own. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** What went wrong, as far as a visitor can do something about it. */
export type Failure = "closed" | "unknown" | "over" | "gone" | "offline" | "often" | "busy";

const FAILURES: Record<string, Failure> = {
  "booking-closed": "closed",
  "booking-link-unknown": "unknown",
  "booking-link-expired": "over",
  "service-not-found": "gone",
  unreachable: "offline",
  "too-many-requests": "often",
};

export function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) return "busy";
  if (error.problem.errors?.some(({ field }) => field === "serviceId")) return "gone";
  return FAILURES[error.slug] ?? "busy";
}

/** Whether the API does not know a zone, which it knows by another release of the database than the browser. */
export const isOfZone = (error: unknown): boolean =>
  error instanceof ApiError && (error.problem.errors?.some(({ field }) => /^(contact\.)?timeZone$/.test(field)) ?? false);

export const isOf = (error: unknown, ...slugs: string[]): error is ApiError =>
  error instanceof ApiError && slugs.includes(error.slug);
