/** What a refused booking suggests is tried before it is offered: the rules of one calendar know nothing of what lies there. */
import { ApiError, type Interval } from "../shared/api";
import { byTime, eachOnce, refusalOf, type Refusal } from "./refusal";

/** The same booking as a dry run, at another time or without the notice. */
export interface Trial {
  at: (time: Interval) => Promise<unknown>;
  waived: () => Promise<unknown>;
}

/** Until it is tried, nothing is offered. `undefined` where there is nothing to try. */
export function untried(refusal: Refusal): Refusal | undefined {
  if (!refusal.notice && !(refusal.unsure && refusal.alternatives.length)) return undefined;
  return { ...refusal, alternatives: [], notice: false, checking: true };
}

/** With what holds of what it suggests: at most four times and the waiver, so five requests. */
export async function tried(refusal: Refusal, trial: Trial, clock: (interval: Interval) => string): Promise<Refusal> {
  const times = refusal.unsure ? refusal.alternatives.slice(0, 4) : [];
  const [found, waiver] = await Promise.all([
    Promise.all(times.map(async (time) => offersAt(time, await outcome(trial.at(time))))),
    refusal.notice ? outcome(trial.waived()) : undefined,
  ]);
  const alternatives = eachOnce(found.flat()).sort(byTime).slice(0, 4);
  const more = waiver instanceof ApiError ? refusalOf(waiver, clock) : undefined;
  const lines = more ? [...refusal.lines, `Without the notice: ${more.title}`, ...more.lines] : refusal.lines;
  return { ...refusal, lines, alternatives, unsure: false, notice: waiver === "holds" };
}

/** A request that got no decision leaves nothing to offer, and nothing to tell. */
async function outcome(request: Promise<unknown>): Promise<"holds" | ApiError | undefined> {
  try {
    await request;
    return "holds";
  } catch (error) {
    return error instanceof ApiError && (error.status === 409 || error.status === 422) ? error : undefined;
  }
}

function offersAt(time: Interval, is: "holds" | ApiError | undefined): Interval[] {
  if (is === "holds") return [time];
  return is?.status === 409 ? (is.problem.alternatives ?? []) : [];
}
