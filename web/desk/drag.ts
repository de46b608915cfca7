/**
 * Dragging on the grid by mouse, pen or finger: an appointment to another time or column, its end, or a free stretch.
 *
 * A mouse drags once it has moved a little. A finger drags after it has rested a moment: before that, it scrolls.
 */
import { momentAt, placeOf, type Axis } from "./axis";
import type { Box, Column } from "./columns";
import { snapped } from "./layout";

export const PIXELS = 1.4; // for a minute
export const STEP = 5;
const SLACK = 4;
const FINGER_SLACK = 10;
const FINGER_RESTS = 350;
const LEAST = 5 * 60_000;

export interface Held {
  kind: "move" | "end" | "stretch";
  box?: Box;
  /** Where it began, and where it is now. */
  from: Column;
  column: Column;
  start: number;
  end: number;
}

export interface Place {
  column: Column;
  axis: Axis;
  element: HTMLElement;
}

export interface Dragging {
  places: () => Place[];
  draw: (held: Held | undefined) => void;
  drop: (held: Held, at: DOMRect) => void;
}

/** The place on the axis under a point. */
function placeAt({ axis, element }: Place, y: number): number {
  const at = axis.from + (y - element.getBoundingClientRect().top) / PIXELS;
  return Math.min(Math.max(at, axis.from), axis.to);
}

function under(places: readonly Place[], x: number): Place | undefined {
  return places.find(({ element }) => {
    const { left, right } = element.getBoundingClientRect();
    return left <= x && x < right;
  });
}

/** Follow one pointer from where it went down until it goes up. Returns what stops it. */
export function follow(down: PointerEvent, begin: Held, dragging: Dragging): () => void {
  const places = dragging.places();
  const home = places.find(({ column }) => column === begin.from) as Place;
  const grabbed = placeAt(home, down.clientY);
  const offset = grabbed - placeOf(home.axis, begin.from.line, begin.kind === "end" ? begin.end : begin.start);
  const finger = down.pointerType === "touch";
  const byGrip = begin.kind === "end";
  let active = false;
  let held = begin;
  let rested: ReturnType<typeof setTimeout> | undefined;

  const activate = (): void => {
    active = true;
    document.body.classList.add("dragging");
    dragging.draw(held);
  };
  const move = (event: PointerEvent): void => {
    if (event.pointerId !== down.pointerId) return;
    const far = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    if (!active) {
      if (finger && !byGrip) {
        if (far > FINGER_SLACK) stop(); // it scrolls
        return;
      }
      if (far < SLACK) return;
      activate();
    }
    event.preventDefault();
    scrollNear(home.element, event);
    held = moved(begin, under(places, event.clientX), home, event.clientY, offset, grabbed);
    dragging.draw(held);
  };
  const up = (event: PointerEvent): void => {
    if (event.pointerId !== down.pointerId) return;
    const was = active;
    stop();
    if (was) {
      swallowClick();
      dragging.drop(held, new DOMRect(event.clientX, event.clientY, 0, 0));
    }
  };
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !active) return;
    event.preventDefault();
    stop();
    addEventListener("pointerup", swallowClick, { once: true });
  };
  const still = (event: TouchEvent): void => {
    if (active) event.preventDefault();
  };
  function stop(): void {
    clearTimeout(rested);
    active = false;
    document.body.classList.remove("dragging");
    dragging.draw(undefined);
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    removeEventListener("pointercancel", stop);
    removeEventListener("keydown", escape, true);
    removeEventListener("touchmove", still);
  }
  addEventListener("pointermove", move);
  addEventListener("pointerup", up);
  addEventListener("pointercancel", stop);
  addEventListener("keydown", escape, true);
  addEventListener("touchmove", still, { passive: false });
  if (finger && !byGrip && begin.kind === "move") rested = setTimeout(activate, FINGER_RESTS);
  return stop;
}

/** What is held, when the pointer is at a height over a column. */
function moved(begin: Held, over: Place | undefined, home: Place, y: number, offset: number, grabbed: number): Held {
  if (begin.kind === "move") {
    const place = over ?? home;
    const start = momentAt(place.axis, place.column.line, snapped(placeAt(place, y) - offset, STEP));
    return { ...begin, column: place.column, start, end: start + begin.end - begin.start };
  }
  const { axis, column } = home;
  if (begin.kind === "end") {
    const over = snapped(placeAt(home, y) - offset, STEP);
    return { ...begin, end: Math.max(momentAt(axis, column.line, over), begin.start + LEAST) };
  }
  const at = snapped(placeAt(home, y), STEP);
  const [first, last] = [Math.min(grabbed, at), Math.max(grabbed, at)];
  const [start, end] = [momentAt(axis, column.line, snapped(first, STEP)), momentAt(axis, column.line, last)];
  return { ...begin, start, end: Math.max(end, start + LEAST) };
}

/** The click that a browser makes of a drag's end is none. */
function swallowClick(): void {
  const swallow = (event: MouseEvent): void => {
    event.stopPropagation();
    event.preventDefault();
  };
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
}

/** Scroll on where the pointer is near the edge of what can be seen. */
function scrollNear(element: HTMLElement, { clientX, clientY }: PointerEvent): void {
  const view = element.closest<HTMLElement>("[data-scrolls]");
  if (!view) return;
  const { top, bottom, left, right } = view.getBoundingClientRect();
  const edge = 36;
  if (clientY > Math.min(bottom, innerHeight) - edge) view.scrollTop += 12;
  if (clientY < top + edge + 40) view.scrollTop -= 12;
  if (clientX > right - edge) view.scrollLeft += 12;
  if (clientX < left + edge + 40) view.scrollLeft -= 12;
}
