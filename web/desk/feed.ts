/**
 * What the server says lies on the calendars that are shown, asked for again and again while somebody looks.
 *
 * The answers are the truth. What this desk has just changed is shown from the answer to the change, until a poll that
 * began after it has come back.
 */
import type { Answer, ApiError } from "../shared/api";
import type { Appointment, Block, Page } from "./model";
import { isLive } from "./states";

export interface Wanted {
  zone: string;
  calendarIds: readonly string[];
  /** Local days: the first, and the one after the last. */
  from: string;
  to: string;
}

export type Ask = (query: Record<string, string | readonly string[] | undefined>, etag?: string) => Promise<Answer<Page>>;

export interface Seen {
  appointments: Appointment[];
  blocks: Block[];
  /** `loading`: nothing is known of these days yet. `stale`: it is known from earlier, and being asked for. */
  state: "loading" | "stale" | "live" | "failed";
  /** When the server last said so. */
  at?: number;
  error?: ApiError;
}

interface KnownPage {
  cursor: string | undefined;
  etag: string | undefined;
  body: Page;
}

interface Known {
  pages: KnownPage[];
  at: number;
}

export const POLL_EVERY = 4000;
const LONGEST_PAUSE = 30_000;
/** Days that were looked at, kept to be shown at once when somebody comes back to them. */
const REMEMBERED = 40;
const MAX_CALENDARS = 20;

export class Feed {
  private wanted: Wanted[] = [];
  private readonly known = new Map<string, Known>();
  private readonly own = new Map<string, { at: number; appointment: Appointment }>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private round = 0;
  private failures = 0;
  private error: ApiError | undefined;
  private watching = true;
  private joined: { pages: Page[]; own: Appointment[]; appointments: Appointment[]; blocks: Block[] } | undefined;

  constructor(
    private readonly ask: Ask,
    private readonly tell: (seen: Seen) => void,
    private readonly now: () => number = Date.now,
  ) {}

  /** Show other days or calendars: what is known of them at once, and then what the server says. */
  show(wanted: readonly Wanted[]): void {
    this.wanted = wanted.flatMap(parts);
    this.emit(false);
    void this.poll();
  }

  /** Ask for days that somebody may look at next, once, so that they are shown at once. */
  async prepare(wanted: readonly Wanted[]): Promise<void> {
    const began = this.now();
    const missing = wanted.flatMap(parts).filter((part) => !this.known.has(keyOf(part)));
    // One after the other: nobody waits for it. What fails is asked for when it is shown.
    for (const part of missing) await this.load(part, began).catch(() => undefined);
  }

  /** Whether anybody looks. */
  watch(watching: boolean): void {
    if (watching === this.watching) return;
    this.watching = watching;
    if (watching) void this.poll();
    else clearTimeout(this.timer);
  }

  /** What a change of this desk was answered with. */
  keep(appointment: Appointment): void {
    this.own.set(appointment.appointmentId, { at: this.now(), appointment });
    this.emit(true);
  }

  /** Ask now, in place of when it is next due. */
  async poll(): Promise<void> {
    clearTimeout(this.timer);
    const round = ++this.round;
    const began = this.now();
    try {
      await Promise.all(this.wanted.map((wanted) => this.load(wanted, began)));
      if (round !== this.round) return;
      this.failures = 0;
      this.error = undefined;
      for (const [id, { at }] of this.own) if (at < began) this.own.delete(id);
      this.emit(true);
    } catch (error) {
      if (round !== this.round) return;
      this.failures += 1;
      this.error = error as ApiError;
      this.emit(true);
    }
    const pause = Math.min(POLL_EVERY * 2 ** Math.max(this.failures - 2, 0), LONGEST_PAUSE);
    if (this.watching) this.timer = setTimeout(() => void this.poll(), pause);
  }

  private async load(wanted: Wanted, began: number): Promise<void> {
    const { calendarIds, zone, from, to } = wanted;
    const key = keyOf(wanted);
    const before = this.known.get(key)?.pages ?? [];
    const pages: KnownPage[] = [];
    let cursor: string | undefined;
    do {
      const had = before[pages.length];
      const tag = had && had.cursor === cursor ? had.etag : undefined;
      const query = { calendarIds, from: `${from}T00:00`, to: `${to}T00:00`, timeZone: zone, cursor };
      const { status, body, etag } = await this.ask(query, tag);
      pages.push(status === 304 && had ? had : { cursor, etag, body });
      cursor = (pages[pages.length - 1] as KnownPage).body.nextCursor;
    } while (cursor !== undefined);
    const last = this.known.get(key);
    if (last && last.at > began) return; // what began later has come back already
    this.known.delete(key); // and comes last in the order of the map
    this.known.set(key, { pages, at: began });
    for (const oldest of this.known.keys()) if (this.known.size > REMEMBERED) this.known.delete(oldest);
  }

  private emit(asked: boolean): void {
    const known = this.wanted.map((wanted) => this.known.get(keyOf(wanted)));
    const found = known.filter((one) => one !== undefined);
    const complete = found.length === known.length;
    const { appointments, blocks } = this.join(found.flatMap(({ pages }) => pages.map(({ body }) => body)));
    const state = this.error ? "failed" : !complete ? "loading" : asked ? "live" : "stale";
    const at = complete && found.length ? Math.min(...found.map((one) => one.at)) : undefined;
    this.tell({
      appointments,
      blocks,
      state,
      ...(at === undefined ? {} : { at }),
      ...(this.error ? { error: this.error } : {}),
    });
  }

  /** Each once, however many of the answers name it. The same lists as before where nothing is new. */
  private join(pages: Page[]): { appointments: Appointment[]; blocks: Block[] } {
    const own = [...this.own.values()].map(({ appointment }) => appointment);
    if (this.joined && same(this.joined.pages, pages) && same(this.joined.own, own)) return this.joined;
    const appointments = new Map<string, Appointment>();
    const blocks = new Map<string, Block>();
    for (const page of pages) {
      for (const one of page.appointments) appointments.set(one.appointmentId, one);
      for (const one of page.blocks ?? []) blocks.set(one.blockId, one);
    }
    for (const one of own) {
      if ((appointments.get(one.appointmentId)?.version ?? 0) <= one.version) appointments.set(one.appointmentId, one);
    }
    const live = [...appointments.values()].filter(({ status }) => isLive(status));
    this.joined = { pages, own, appointments: live, blocks: [...blocks.values()] };
    return this.joined;
  }
}

const same = (some: readonly unknown[], others: readonly unknown[]): boolean =>
  some.length === others.length && some.every((one, index) => one === others[index]);
const keyOf = ({ zone, calendarIds, from, to }: Wanted): string => [zone, from, to, ...calendarIds].join(" ");

/** As many calendars as one answer lists. */
function parts(wanted: Wanted): Wanted[] {
  const found: Wanted[] = [];
  for (let first = 0; first < wanted.calendarIds.length; first += MAX_CALENDARS) {
    found.push({ ...wanted, calendarIds: wanted.calendarIds.slice(first, first + MAX_CALENDARS) });
  }
  return found;
}
