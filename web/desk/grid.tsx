/** The grid: columns with what lies on them, to be read, reached by keyboard, and dragged on. */
import { useEffect, useRef, useState } from "preact/hooks";
import { clockText } from "../shared/zones";
import { momentAt, placeOf, ticksOf, type Axis } from "./axis";
import type { Clock } from "./clock";
import { ColumnBody, type Pending } from "./column";
import type { Box, Column, Group } from "./columns";
import { follow, PIXELS, type Held, type Place } from "./drag";
import { snapped } from "./layout";
import type { Service } from "./model";
import { nameOf } from "./names";
import { isMovable, isResizable } from "./states";

export interface GridProps {
  groups: Group[];
  services: ReadonlyMap<string, Service>;
  clock: Clock;
  now: number;
  today: string;
  week: boolean;
  pending: ReadonlyMap<string, Pending>;
  /** An appointment to look at: it is scrolled to. */
  marked: string | undefined;
  onOpen: (box: Box, column: Column) => void;
  onDrop: (held: Held, at: DOMRect) => void;
  /** A stretch that was chosen, or a click into free time, with no end. */
  onFree: (column: Column, start: number, end?: number) => void;
  onHead: (column: Column) => void;
}

export function Grid(props: GridProps) {
  const { groups, clock, week, today, onHead } = props;
  const root = useRef<HTMLDivElement>(null);
  const [held, setHeld] = useState<Held>();
  const stop = useRef<(() => void) | undefined>(undefined);
  useEffect(() => () => stop.current?.(), []);
  useScrolling(root, props);
  // The Tab key reaches one box; from there, arrow keys reach the others.
  useEffect(() => {
    const boxes = root.current?.querySelector('[data-box][tabindex="0"]') ?? root.current?.querySelector<HTMLElement>("[data-box]");
    if (boxes instanceof HTMLElement) boxes.tabIndex = 0;
  });

  const places = (): Place[] => {
    const found = groups.flatMap(({ columns, axis }) => columns.map((column) => ({ column, axis })));
    const elements = root.current?.querySelectorAll<HTMLElement>("[data-column]") ?? [];
    return found.map((one, index) => ({ ...one, element: elements[index] as HTMLElement }));
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || !event.isPrimary) return;
    const target = event.target as HTMLElement;
    const element = target.closest<HTMLElement>("[data-column]");
    const place = places().find((one) => one.element === element);
    if (!place) return;
    const begin = grabbed(target, place, event);
    if (begin) stop.current = follow(event, begin, { places, draw: setHeld, drop: (drop, at) => dropped(drop, at, props) });
  };
  const click = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    const element = target.closest<HTMLElement>("[data-column]");
    const place = places().find((one) => one.element === element);
    if (!place) return;
    const key = target.closest<HTMLElement>("[data-box]")?.dataset["box"];
    const box = place.column.boxes.find((one) => one.key === key);
    if (box) props.onOpen(box, place.column);
    else if (!target.closest("[data-box]")) {
      const at = place.axis.from + (event.clientY - place.element.getBoundingClientRect().top) / PIXELS;
      props.onFree(place.column, momentAt(place.axis, place.column.line, Math.floor(at / 15) * 15));
    }
  };
  const widths = groups.map(({ columns }) => `var(--gutter) repeat(${columns.length}, minmax(var(--column), 1fr))`).join(" ");
  return (
    <div class="grid" ref={root} data-scrolls role="group" aria-label="Calendars" onPointerDown={down} onClick={click} onKeyDown={(event) => arrow(event, root.current)}>
      <div class="sheet" style={{ gridTemplateColumns: widths }}>
        {groups.map(({ zone, columns }) => [
          <div class="corner" key={zone} title={`Times of ${zone}`}>{groups.length > 1 ? zone.replace(/.*\//, "").replaceAll("_", " ") : ""}</div>,
          ...columns.map((column) => (
            <button type="button" class="head" key={column.key} data-today={column.line.day === today || undefined}
              aria-label={`${week ? `${clock.shortDay(column.line.day)} ` : ""}${nameOf(column.calendar.calendarId)}: book or block`} onClick={() => onHead(column)}>
              {week && <span class="head-day">{clock.shortDay(column.line.day)}</span>}{" "}
              <span class="head-name" title={column.calendar.calendarId}>{nameOf(column.calendar.calendarId)}</span>
            </button>
          )),
        ])}
        {groups.map(({ zone, axis, columns }, index) => [
          <Gutter key={`gutter ${zone}`} axis={axis} />,
          ...columns.map((column) => (
            <ColumnBody key={column.key} column={column} axis={axis} services={props.services} clock={clock} week={week} marked={props.marked}
              now={column.line.day === today ? props.now : undefined} pending={props.pending} first={index === 0}
              held={held && (held.column.key === column.key || held.from.key === column.key) ? held : undefined} />
          )),
        ])}
      </div>
    </div>
  );
}

/** What a pointer that goes down here takes hold of. */
function grabbed(target: HTMLElement, { column, axis, element }: Place, event: PointerEvent): Held | undefined {
  const own = target.closest<HTMLElement>("[data-box]");
  const box = column.boxes.find(({ key }) => key === own?.dataset["box"]);
  const common = { from: column, column };
  if (box?.appointment) {
    if (target.closest("[data-grip]") && isResizable(box.appointment)) return { ...common, kind: "end", box, start: box.start, end: box.end };
    return isMovable(box.appointment) ? { ...common, kind: "move", box, start: box.start, end: box.end } : undefined;
  }
  if (own || event.pointerType === "touch") return undefined; // a finger scrolls, and taps
  const place = axis.from + (event.clientY - element.getBoundingClientRect().top) / PIXELS;
  const start = momentAt(axis, column.line, snapped(place, 5));
  return { ...common, kind: "stretch", start, end: start };
}

function dropped(held: Held, at: DOMRect, { onDrop, onFree }: GridProps): void {
  if (held.kind === "stretch") onFree(held.column, held.start, held.end);
  else onDrop(held, at);
}

function Gutter({ axis }: { axis: Axis }) {
  return (
    <div class="gutter" style={{ height: `${(axis.to - axis.from) * PIXELS}px` }} aria-hidden="true">
      {ticksOf(axis).map(({ at, wall, again }) => (
        <span key={at} class={again ? "tick again" : "tick"} style={{ top: `${(at - axis.from) * PIXELS}px` }}>
          {clockText(wall)}
          {again && <small>again</small>}
        </span>
      ))}
    </div>
  );
}

/** Arrow keys go from box to box: up and down in a column, left and right to the nearest in the next that has any. */
function arrow(event: KeyboardEvent, root: HTMLElement | null): void {
  const box = (event.target as HTMLElement).closest<HTMLElement>("[data-box]");
  if (!box || !root || !["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  const columns = [...root.querySelectorAll<HTMLElement>("[data-column]")].map((one) => [...one.querySelectorAll<HTMLElement>("[data-box]")]);
  const column = columns.findIndex((boxes) => boxes.includes(box));
  const boxes = columns[column] as HTMLElement[];
  const index = boxes.indexOf(box);
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    focusOn(boxes[index + (event.key === "ArrowUp" ? -1 : 1)], root);
    return;
  }
  const step = event.key === "ArrowLeft" ? -1 : 1;
  for (let next = column + step; columns[next]; next += step) {
    const near = [...(columns[next] as HTMLElement[])].sort((a, b) => Math.abs(a.offsetTop - box.offsetTop) - Math.abs(b.offsetTop - box.offsetTop));
    if (near[0]) {
      focusOn(near[0], root);
      return;
    }
  }
}

/** One of the boxes is in the order of the Tab key, the one that was focused last. */
function focusOn(box: HTMLElement | undefined, root: HTMLElement): void {
  if (!box) return;
  for (const other of root.querySelectorAll<HTMLElement>('[data-box][tabindex="0"]')) other.tabIndex = -1;
  box.tabIndex = 0;
  box.focus();
}

/** How far down the first of the calendars opens, or the first appointment lies, in pixels. */
function opening(groups: readonly Group[]): number {
  const places = groups.flatMap(({ axis, columns }) =>
    columns.flatMap(({ line, closed, boxes }) => {
      const open = closed[0]?.[0] === line.start ? closed[0][1] : line.start;
      return [open, boxes[0]?.start ?? line.end].filter((at) => at < line.end).map((at) => placeOf(axis, line, at) - axis.from);
    }),
  );
  return Math.max((Math.min(...places, 1440) - 10) * PIXELS, 0) % (1430 * PIXELS);
}

/** Once for each day: begin where the day is now, or where the first appointment is; and go to what is marked. */
function useScrolling(root: { current: HTMLDivElement | null }, { groups, today, now, marked }: GridProps): void {
  const shown = groups.map(({ columns, axis }) => [columns[0]?.line.day, axis.from]).join();
  useEffect(() => {
    const group = groups.find(({ columns }) => columns.some(({ line }) => line.day === today));
    const grid = root.current;
    if (!grid) return;
    const line = grid.querySelector<HTMLElement>(".now");
    grid.scrollTop = group && line && now ? Math.max(line.offsetTop - grid.clientHeight / 3, 0) : opening(groups);
    grid.scrollLeft = 0;
  }, [shown]);
  const there = marked !== undefined && groups.some(({ columns }) => columns.some(({ boxes }) => boxes.some(({ appointment }) => appointment?.appointmentId === marked)));
  useEffect(() => {
    if (there) root.current?.querySelector(`[data-appointment="${marked}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [shown, marked, there]);
}
