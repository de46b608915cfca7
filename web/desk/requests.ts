/** The requests of everyone that wait for an answer, asked for now and then while somebody looks. */
import { ApiError } from "../shared/api";
import { moment, type Appointment, type Page } from "./model";

export interface Waiting {
  appointments: Appointment[];
  /** There are more than one answer lists. */
  more: boolean;
}

export const NONE: Waiting = { appointments: [], more: false };
/** Does something half a minute from now; what it answers with prevents that. */
type Later = (run: () => void) => () => void;
const afterHalfAMinute: Later = (run) => {
  const timer = setTimeout(run, 30_000);
  return () => clearTimeout(timer);
};

export class Requests {
  private waiting = NONE;
  private next: (() => void) | undefined;
  private round = 0;
  private watching = true;

  constructor(
    private readonly ask: () => Promise<Page>,
    private readonly tell: (waiting: Waiting) => void,
    private readonly later: Later = afterHalfAMinute,
  ) {}

  /** Whether anybody looks. */
  watch(watching: boolean): void {
    if (watching === this.watching) return;
    this.watching = watching;
    if (watching) void this.poll();
    else this.next?.();
  }

  /** Ask now, in place of when it is next due. One page, whatever waits. */
  async poll(): Promise<void> {
    this.next?.();
    const round = ++this.round;
    try {
      const { appointments, nextCursor } = await this.ask();
      if (round !== this.round) return;
      this.set({ appointments, more: nextCursor !== undefined });
    } catch (error) {
      if (round !== this.round) return;
      // Who may not list them has none to answer. Otherwise, the grid says that there is no connection.
      if (error instanceof ApiError && error.status === 403) return;
    }
    if (this.watching) this.next = this.later(() => void this.poll());
  }

  /** What a change of this desk was answered with: it counts at once, and the others are asked for again. */
  keep(appointment: Appointment): void {
    const others = this.waiting.appointments.filter(({ appointmentId }) => appointmentId !== appointment.appointmentId);
    const waits = appointment.status === "requested";
    if (!waits && others.length === this.waiting.appointments.length) return;
    this.set({ ...this.waiting, appointments: waits ? [...others, appointment] : others });
    void this.poll();
  }

  private set(waiting: Waiting): void {
    this.waiting = waiting;
    this.tell(waiting);
  }
}

/** Those that wait, by their start. Of what the grid shows it knows more, as that is asked for every few seconds. */
export function waitingOf({ appointments, more }: Waiting, seen: readonly Appointment[]): Waiting {
  const all = new Map(appointments.map((one) => [one.appointmentId, one]));
  for (const one of seen) if ((all.get(one.appointmentId)?.version ?? 0) <= one.version) all.set(one.appointmentId, one);
  const waiting = [...all.values()].filter(({ status }) => status === "requested");
  return { appointments: waiting.sort((a, b) => moment(a.startTime) - moment(b.startTime)), more };
}
