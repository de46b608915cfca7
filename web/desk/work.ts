/** What the desk asks the server to do. Every change names the version that was seen, so that nobody's is overwritten. */
import type { Answer, Api, Interval } from "../shared/api";
import { plusDays } from "../shared/zones";
import type { Ask } from "./feed";
import { backBody, type Appointment, type Block, type Calendar, type HistoryEntry, type Page, type Service, type Status } from "./model";
import type { Wanted } from "./next";
import { anyway } from "./refusal";

/** As many calendars as a desk can have. */
const MOST_PAGES = 20;

export class Work {
  /** The bodies that were sent, each with its key: what is sent again books once. */
  private readonly keys = new Map<string, string>();

  constructor(readonly api: Api) {}

  readonly ask: Ask = (query, etag) =>
    this.api.ask<Page>("GET", "appointments", { query, ...(etag === undefined ? {} : { ifNoneMatch: etag }) });

  calendars(): Promise<Calendar[]> {
    return this.all<Calendar>("calendars", "calendars");
  }

  async services(): Promise<Service[]> {
    return (await this.all<Service>("services", "services")).filter(({ deletedAt }) => deletedAt === undefined);
  }

  private async all<T>(path: string, name: string): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const body: Record<string, unknown> = await this.api.get(path, { cursor });
      found.push(...(body[name] as T[]));
      cursor = body["nextCursor"] as string | undefined;
      if (cursor === undefined) break;
    }
    return found;
  }

  calendar(id: string): Promise<Calendar> {
    return this.api.get(`calendars/${encodeURIComponent(id)}`);
  }

  appointment(id: string): Promise<Appointment> {
    return this.api.get(`appointments/${id}`);
  }

  async history(id: string): Promise<HistoryEntry[]> {
    const found: HistoryEntry[] = [];
    let cursor: string | undefined;
    do {
      const body: { history: HistoryEntry[]; nextCursor?: string } = await this.api.get(`appointments/${id}/history`, { cursor });
      found.push(...body.history);
      cursor = body.nextCursor;
    } while (cursor !== undefined && found.length < 500);
    return found.reverse();
  }

  change(seen: Appointment, body: Record<string, unknown>): Promise<Appointment> {
    return this.api.patch(`appointments/${seen.appointmentId}`, body, { ifMatch: `"${seen.version}"` });
  }

  /** `cancelled` too: as a change of status it names the version, as the others do. */
  turn(seen: Appointment, status: Status): Promise<Appointment> {
    return this.change(seen, { status });
  }

  /** Where it was it was booked, however soon that is by now. */
  undo(before: Appointment, now: Appointment): Promise<Appointment> {
    const body = backBody(before, now);
    return this.change(now, "status" in body ? body : anyway(body));
  }

  book(body: Record<string, unknown>): Promise<Appointment> {
    return this.once(body, (idempotencyKey) => this.api.post("appointments", body, { idempotencyKey }));
  }

  /** Whether it could be booked: raises as `book` does, and writes nothing. */
  tryBooking(body: Record<string, unknown>): Promise<unknown> {
    return this.api.post("appointments", body, { query: { dryRun: true }, signal: AbortSignal.timeout(8000) });
  }

  block(calendarId: string, body: Record<string, unknown>): Promise<Block & { meets: string[] }> {
    const path = `calendars/${encodeURIComponent(calendarId)}/blocks`;
    return this.once([calendarId, body], (idempotencyKey) => this.api.post(path, body, { idempotencyKey }));
  }

  unblock({ calendarId, blockId }: Block): Promise<Block> {
    return this.api.delete(`calendars/${encodeURIComponent(calendarId)}/blocks/${blockId}`);
  }

  /** By an email address or a phone number. */
  byContact(contact: string): Promise<Page> {
    return this.api.get("appointments", { contact });
  }

  /** What lies on the first 20 of some calendars in the 8 days from one on, as far as one answer has it. */
  near(calendarIds: readonly string[], from: string, timeZone: string): Promise<Page> {
    const range = { from: `${from}T00:00`, to: `${plusDays(from, 8)}T00:00`, timeZone };
    return this.api.get("appointments", { calendarIds: calendarIds.slice(0, 20), ...range });
  }

  /** Up to four times that are free from a day on, for two weeks: of a service, or of all of some calendars. */
  async nextFree(wanted: Wanted, from: string, timeZone: string): Promise<Interval[]> {
    const range = { from: `${from}T00:00`, to: `${plusDays(from, 14)}T00:00`, timeZone, limit: 4 };
    return (await this.api.get<{ available: Interval[] }>("availability", { ...wanted, ...range })).available;
  }

  ofPerson(userId: string, range: { from?: string; to?: string }): Promise<Page> {
    return this.api.get("appointments", { userId, ...range, limit: 100 });
  }

  /** The requests of everyone that wait, the earliest first. */
  requests(): Promise<Page> {
    return this.api.get("appointments", { status: "requested", limit: 100 });
  }

  private async once<T>(what: unknown, send: (key: string) => Promise<T>): Promise<T> {
    const text = JSON.stringify(what);
    const key = this.keys.get(text) ?? crypto.randomUUID();
    this.keys.set(text, key);
    const answer = await send(key);
    this.keys.delete(text); // it is written: the same once more is meant
    return answer;
  }
}

export type { Answer };
