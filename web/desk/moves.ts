/** Moving by dragging: drawn at once where it was dropped, then as the server decides; and taken back once. */
import { ApiError, type Interval } from "../shared/api";
import type { Pending } from "./column";
import type { Column } from "./columns";
import type { Held } from "./drag";
import type { Feed } from "./feed";
import { moment, moveBody, personOf, stamp, unmovable, type Appointment, type Target } from "./model";
import { nameOf } from "./names";
import { anyway, refusalOf, type Refusal } from "./refusal";
import { lookOf } from "./states";
import type { Work } from "./work";

export interface RefusedMove {
  refusal: Refusal;
  at: DOMRect;
  column: Column;
  /** Move it to what the server offered instead. */
  take: (interval: Interval) => void;
  /** Move it there without the notice. */
  anyway?: () => void;
}

export interface Told {
  text: string;
  undo?: boolean;
  /** The appointment that it is about, which the grid marks and scrolls to. */
  about?: string;
}

/** What the page shows of moves. */
export interface MoveState {
  pending: ReadonlyMap<string, Pending>;
  refused?: RefusedMove;
  last?: { before: Appointment; after: Appointment };
}

export class Moves {
  state: MoveState = { pending: new Map() };

  constructor(
    private readonly work: Work,
    private readonly feed: Feed,
    private readonly changed: (state: MoveState) => void,
    private readonly say: (told: Told) => void,
    /** An interval as the desk writes it, and a span of time. */
    private readonly write: { interval: (one: Interval, column: Column) => string; span: (start: number, end: number, column: Column) => string },
  ) {}

  private set(some: Partial<MoveState>): void {
    this.state = { ...this.state, ...some };
    this.changed(this.state);
  }

  /** Something was dropped, or its end was. */
  drop(held: Held, at: DOMRect): void {
    const { box, column, from } = held;
    const appointment = box?.appointment;
    if (!box || !appointment) return;
    const [start, end] = [moment(appointment.startTime), moment(appointment.endTime)];
    const first = start + held.start - box.start;
    const target: Target = {
      start: first,
      end: held.kind === "end" ? end + held.end - box.end : first + end - start,
      calendarId: column.calendar.calendarId,
      from: from.calendar.calendarId,
    };
    const body = moveBody(appointment, target);
    if (Object.keys(body).length === 0) return;
    const never = unmovable(appointment, target);
    if (never === undefined) void this.send(appointment, body, held, at);
    else this.set({ refused: { refusal: { title: "It cannot be moved there", lines: [never], alternatives: [] }, at, column, take: () => undefined } });
  }

  private async send(appointment: Appointment, body: Record<string, unknown>, held: Held, at: DOMRect): Promise<void> {
    const { column, start, end } = held;
    const id = appointment.appointmentId;
    const waits = { start, end, columnKey: column.key, from: held.from.key };
    const { refused: _, ...rest } = this.state;
    this.state = rest;
    this.set({ pending: new Map(this.state.pending).set(id, waits) });
    try {
      this.done(appointment, await this.work.change(appointment, body), column);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const take = (one: Interval): void => void this.take(appointment, body, held, at, one);
      // On another calendar the time that it has is an offer.
      const own = "resourceIds" in body ? undefined : appointment;
      const refusal = refusalOf(error, (one) => this.write.interval(one, column), own);
      this.set({ refused: { refusal, at, column, take, anyway: () => void this.send(appointment, anyway(body), held, at) } });
      void this.feed.poll(); // the truth, where it is another one than was seen
    } finally {
      const pending = new Map(this.state.pending);
      pending.delete(id);
      this.set({ pending });
    }
  }

  private take(appointment: Appointment, body: Record<string, unknown>, held: Held, at: DOMRect, one: Interval): Promise<void> {
    const [start, end] = [moment(one.startTime), moment(one.endTime)];
    const other: Record<string, unknown> = { ...body, startTime: stamp(appointment, start) };
    if ("endTime" in body) other["endTime"] = stamp(appointment, end);
    return this.send(appointment, other, { ...held, start, end }, at);
  }

  /** A change of this desk that may be taken back. */
  done(before: Appointment, after: Appointment, column: Column): void {
    this.feed.keep(after);
    this.set({ last: { before, after } });
    const [start, end] = [moment(after.startTime), moment(after.endTime)];
    const stays = before.startTime === after.startTime && before.resourceIds.join() === after.resourceIds.join();
    this.say({ text: `${stays ? "Now" : "Moved to"} ${this.write.span(start, end, column)}, ${nameOf(column.calendar.calendarId)}.`, undo: true });
  }

  /** What is done last is what can be taken back, or nothing is. */
  remember(last: { before: Appointment; after: Appointment } | undefined): void {
    const { last: _, ...rest } = this.state;
    this.state = rest;
    this.set(last ? { last } : {});
  }

  /** What `undo` takes back, in words. */
  undoes(): string | undefined {
    const last = this.state.last;
    if (!last) return undefined;
    const what = last.before.status === last.after.status ? "the move" : `“${lookOf(last.after.status).label}”`;
    return `${what} of ${personOf(last.after)}`;
  }

  async undo(): Promise<void> {
    const last = this.state.last;
    const what = capital(this.undoes() ?? "");
    if (!last) return;
    this.remember(undefined);
    try {
      this.feed.keep(await this.work.undo(last.before, last.after));
      this.say({ text: `${what} was taken back.` });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const why = error.status === 412 ? "Somebody has changed the appointment since." : refusalOf(error, () => "").lines.join(" ") || error.message;
      const taken = error.slug === "conflict" ? "Its former time is taken by now." : why;
      this.say({ text: `${what} cannot be taken back. ${taken}` });
      void this.feed.poll();
    }
  }

  dismiss(): void {
    const { refused: _, ...rest } = this.state;
    this.state = rest;
    this.set({});
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
