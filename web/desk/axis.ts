/**
 * Where moments lie on the grid. A day of 25 hours shows the hour that comes twice as two, one of 23 hours lacks the one
 * that clocks skip. Columns of one grid share an axis: a week with such a day has the hour in all of its columns, and where
 * it does not exist, nothing can be booked.
 *
 * Places on the axis are minutes from the midnight above: the clock's, shifted by what is inserted or cut out.
 */
import { offsetAt, plusDays, startOfDay } from "../shared/zones";

const MINUTE = 60_000;
export type Span = readonly [number, number];

/** A part of a day in which the clock runs evenly: from `from` on it shows `wall`. `again` is the second pass. */
interface Piece {
  from: number;
  to: number;
  wall: number;
  again: boolean;
}

export interface DayLine {
  day: string;
  zone: string;
  start: number;
  end: number;
  pieces: Piece[];
  /** By the clock: what it shows twice, and what it never shows. */
  repeats?: Span;
  skips?: Span;
}

/** One local day, as its clocks show it. */
export function dayLine(day: string, zone: string): DayLine {
  const [start, end] = [startOfDay(day, zone), startOfDay(plusDays(day, 1), zone)];
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const first = Math.round((start + offsetAt(start, zone) * MINUTE - midnight) / MINUTE);
  const base = { day, zone, start, end };
  const late: { skips?: Span } = first > 0 ? { skips: [0, first] } : {};
  const shift = offsetAt(end - 1, zone) - offsetAt(start, zone);
  if (shift === 0) return { ...base, ...late, pieces: [{ from: start, to: end, wall: first, again: false }] };
  const turn = turnOf(start, end, zone);
  const wall = first + (turn - start) / MINUTE;
  const before = { from: start, to: turn, wall: first, again: false };
  if (shift > 0) {
    const after = { from: turn, to: end, wall: wall + shift, again: false };
    return { ...base, skips: [wall, wall + shift], pieces: [before, after] };
  }
  const over = turn - shift * MINUTE;
  const pieces = [
    before,
    { from: turn, to: over, wall: wall + shift, again: true },
    { from: over, to: end, wall, again: false },
  ];
  return { ...base, repeats: [wall + shift, wall], pieces: pieces.filter((piece) => piece.to > piece.from) };
}

/** The moment at which clocks are put forward or back. */
function turnOf(start: number, end: number, zone: string): number {
  const was = offsetAt(start, zone);
  let [before, from] = [start, end];
  while (from - before > MINUTE) {
    const middle = before + Math.floor((from - before) / 2 / MINUTE) * MINUTE;
    if (offsetAt(middle, zone) === was) before = middle;
    else from = middle;
  }
  return from;
}

export interface Axis {
  from: number;
  to: number;
  /** By the clock: an hour that comes twice in some column, and one that is left out as no column has it. */
  inserted?: Span;
  cut?: Span;
}

/** The first moment of the day at or after a time by the clock: of one that comes twice, the first. */
export function momentOf(line: DayLine, wall: number): number {
  const piece = line.pieces.find((one) => wall < one.wall + (one.to - one.from) / MINUTE);
  return piece ? piece.from + Math.max(wall - piece.wall, 0) * MINUTE : line.end;
}

/** The axis of columns, from one time of day to another by the clock. */
export function axisOf(lines: readonly DayLine[], from = 0, to = 1440): Axis {
  const inserted = lines.find((line) => line.repeats)?.repeats;
  const skips = lines[0]?.skips;
  const all = skips !== undefined && lines.every(({ skips: own }) => own && own[0] === skips[0] && own[1] === skips[1]);
  const axis: Axis = { from: 0, to: 0, ...(inserted ? { inserted } : {}), ...(all && skips ? { cut: skips } : {}) };
  return { ...axis, from: place(axis, from, false), to: place(axis, to, false) };
}

/** Where a time of day lies. */
function place({ inserted, cut }: Axis, wall: number, again: boolean): number {
  if (inserted && (again || wall >= inserted[1])) return wall + inserted[1] - inserted[0];
  if (cut && wall >= cut[1]) return wall - (cut[1] - cut[0]);
  return cut && wall > cut[0] ? cut[0] : wall;
}

/** Where a moment of a column's day lies; of one outside it, the day's end. */
export function placeOf(axis: Axis, line: DayLine, moment: number): number {
  const within = Math.min(Math.max(moment, line.start), line.end);
  const pieces = line.pieces;
  const piece = pieces.find(({ from, to }) => from <= within && within < to) ?? (pieces[pieces.length - 1] as Piece);
  return place(axis, piece.wall + (within - piece.from) / MINUTE, piece.again);
}

/** The moment at a place; where the column's clock does not show that time, the moment at which it jumps over it. */
export function momentAt(axis: Axis, line: DayLine, at: number): number {
  const { inserted, cut } = axis;
  let [wall, again] = [at, false];
  if (inserted && at >= inserted[1]) {
    const length = inserted[1] - inserted[0];
    again = at < inserted[1] + length;
    wall = at - length;
    if (again && !line.repeats) [wall, again] = [inserted[1], false];
  } else if (cut && at >= cut[0]) wall = at + cut[1] - cut[0];
  for (const piece of line.pieces) {
    const last = piece.wall + (piece.to - piece.from) / MINUTE;
    if (piece.again === again && wall < last) return piece.from + Math.max(wall - piece.wall, 0) * MINUTE;
  }
  return line.end;
}

/** The places at which a column has no time: an hour that its clock skips, or that comes twice in another column only. */
export function gapsOf(axis: Axis, line: DayLine): Span[] {
  const gaps: Span[] = [];
  const { inserted, cut } = axis;
  if (inserted && !line.repeats) gaps.push([inserted[1], inserted[1] + inserted[1] - inserted[0]]);
  if (line.skips && !cut) gaps.push([place(axis, line.skips[0], false), place(axis, line.skips[1], false)]);
  return gaps;
}

export interface Tick {
  at: number;
  /** The clock, in minutes since midnight. */
  wall: number;
  again: boolean;
}

/** The whole hours on the axis. */
export function ticksOf(axis: Axis, every = 60): Tick[] {
  const ticks: Tick[] = [];
  const add = (wall: number, again: boolean): void => {
    const at = place(axis, wall, again);
    if (at >= axis.from && at < axis.to) ticks.push({ at, wall, again });
  };
  for (let wall = 0; wall < 1440; wall += every) {
    if (axis.cut && wall >= axis.cut[0] && wall < axis.cut[1]) continue;
    add(wall, false);
    if (axis.inserted && wall >= axis.inserted[0] && wall < axis.inserted[1]) add(wall, true);
  }
  return ticks.sort((a, b) => a.at - b.at);
}
