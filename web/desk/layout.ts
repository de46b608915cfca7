/** How boxes lie in a column: side by side where they overlap. */

export interface Placed {
  /** From the left, out of `lanes`. */
  lane: number;
  lanes: number;
}

/** The lane of each of some stretches, in their order. Those that overlap, also by way of others, share one width. */
export function lanesOf(stretches: readonly { start: number; end: number }[]): Placed[] {
  const placed: Placed[] = stretches.map(() => ({ lane: 0, lanes: 1 }));
  const order = stretches.map((_, index) => index).sort((a, b) => compare(stretches, a, b));
  let cluster: number[] = [];
  let ends: number[] = [];
  let over = Number.NEGATIVE_INFINITY;
  const close = (): void => {
    for (const index of cluster) (placed[index] as Placed).lanes = ends.length;
  };
  for (const index of order) {
    const { start, end } = stretches[index] as { start: number; end: number };
    if (start >= over) {
      close();
      [cluster, ends] = [[], []];
    }
    const free = ends.findIndex((last) => last <= start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = end;
    (placed[index] as Placed).lane = lane;
    cluster.push(index);
    over = Math.max(over, end);
  }
  close();
  return placed;
}

function compare(stretches: readonly { start: number; end: number }[], a: number, b: number): number {
  const [one, other] = [stretches[a], stretches[b]] as [{ start: number; end: number }, { start: number; end: number }];
  return one.start - other.start || other.end - one.end || a - b;
}

/** The nearest multiple of `step`. */
export const snapped = (value: number, step: number): number => Math.round(value / step) * step;

/** The time from a moment on that nothing takes, at most so much. */
export function freeFrom(at: number, most: number, taken: readonly { start: number; end: number }[]): number {
  const next = taken.filter(({ end }) => end > at).map(({ start }) => start);
  return Math.min(at + most, ...next.filter((start) => start > at));
}

/** By the clock: what a grid shows, so that all hours and all appointments are seen, in whole hours. */
export function shownHours(
  hours: readonly (readonly [number, number])[],
  taken: readonly (readonly [number, number])[],
): [number, number] {
  const base = hours.length ? hours : [[480, 1080] as const];
  const all = [...base, ...taken];
  const first = Math.floor(Math.min(...all.map(([from]) => from)) / 60) * 60;
  const last = Math.ceil(Math.max(...all.map(([, to]) => to)) / 60) * 60;
  return [Math.max(first, 0), Math.min(Math.max(last, first + 240), 1440)];
}
