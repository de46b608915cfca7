/** One column of the grid. It is drawn again only when something in it differs. */
import { Component } from "preact";
import { gapsOf, placeOf, type Axis } from "./axis";
import type { Clock } from "./clock";
import type { Box, Column } from "./columns";
import { PIXELS, type Held } from "./drag";
import { Icon } from "./icons";
import { personOf, subjectOf, type Appointment, type Service } from "./model";
import { nameOf } from "./names";
import { isMovable, isResizable, lookOf } from "./states";

/** A move that the server has not answered yet: it is drawn where it was dropped. */
export interface Pending {
  start: number;
  end: number;
  columnKey: string;
  from: string;
}

interface Props {
  column: Column;
  axis: Axis;
  services: ReadonlyMap<string, Service>;
  clock: Clock;
  week: boolean;
  now: number | undefined;
  marked: string | undefined;
  pending: ReadonlyMap<string, Pending>;
  held: Held | undefined;
  first: boolean;
}

export class ColumnBody extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const keys = Object.keys(next) as (keyof Props)[];
    return keys.some((key) => next[key] !== this.props[key]);
  }

  override render() {
    const { column, axis, clock, week, now, held, services } = this.props;
    const { calendar, line, closed } = column;
    const name = week ? `${nameOf(calendar.calendarId)}, ${clock.day(line.day)}` : nameOf(calendar.calendarId);
    const shut = closed.length === 1 && closed[0]?.[0] === line.start && closed[0][1] === line.end;
    return (
      <div class="column" data-column={calendar.calendarId} data-day={line.day} role="group" aria-label={name}
        style={{ height: `${(axis.to - axis.from) * PIXELS}px` }}>
        {closed.map(([from, to]) => <Band key={from} kind="closed" axis={axis} span={[placeOf(axis, line, from), placeOf(axis, line, to)]} />)}
        {gapsOf(axis, line).map((span) => <Band key={`gap ${span[0]}`} kind="gap" axis={axis} span={span} />)}
        {shut && <p class="shut">Closed</p>}
        {this.boxes()}
        {now !== undefined && <Now at={placeOf(axis, line, now)} axis={axis} />}
        {held && held.column.key === column.key && <Ghost held={held} axis={axis} clock={clock} services={services} />}
      </div>
    );
  }

  private boxes() {
    const { column, axis, clock, pending, held, services, marked } = this.props;
    const drawn = column.boxes.map((box) => {
      const waits = box.appointment && pending.get(box.appointment.appointmentId);
      const away = held?.box?.key === box.key && held.from.key === column.key;
      return <BoxView key={box.key} box={box} column={column} axis={axis} clock={clock} services={services} dim={away || waits !== undefined}
        marked={marked !== undefined && box.appointment?.appointmentId === marked} />;
    });
    for (const [id, waits] of pending) if (waits.columnKey === column.key) drawn.push(<Waiting key={`waits ${id}`} waits={waits} axis={axis} column={column} clock={clock} />);
    return drawn;
  }
}

function Band({ kind, axis, span: [from, to] }: { kind: "closed" | "gap"; axis: Axis; span: readonly [number, number] }) {
  const [top, bottom] = [Math.max(from, axis.from), Math.min(to, axis.to)];
  if (bottom <= top) return null;
  return <div class={`band ${kind}`} style={{ top: `${(top - axis.from) * PIXELS}px`, height: `${(bottom - top) * PIXELS}px` }} />;
}

function Now({ at, axis }: { at: number; axis: Axis }) {
  if (at < axis.from || at > axis.to) return null;
  return <div class="now" style={{ top: `${(at - axis.from) * PIXELS}px` }} aria-hidden="true" />;
}

function Ghost({ held, axis, clock, services }: { held: Held; axis: Axis; clock: Clock; services: ReadonlyMap<string, Service> }) {
  const { column, start, end, box } = held;
  const [top, height] = extent(column, axis, start, end);
  return (
    <div class="ghost" style={{ top: `${top}px`, height: `${height}px` }} aria-hidden="true">
      <b>{clock.span(start, end, column.line.zone)}</b>
      {box?.appointment && <span> {personOf(box.appointment)} {subjectOf(box.appointment, services) ?? ""}</span>}
    </div>
  );
}

function Waiting({ waits, axis, column, clock }: { waits: Pending; axis: Axis; column: Column; clock: Clock }) {
  const [top, height] = extent(column, axis, waits.start, waits.end);
  return (
    <div class="ghost waiting" style={{ top: `${top}px`, height: `${height}px` }}>
      <b>{clock.span(waits.start, waits.end, column.line.zone)}</b> Saving…
    </div>
  );
}

/** Top and height of a stretch in pixels, as far as the axis goes. */
function extent({ line }: Column, axis: Axis, start: number, end: number): [number, number] {
  const [from, to] = [Math.max(placeOf(axis, line, start), axis.from), Math.min(placeOf(axis, line, end), axis.to)];
  return [(from - axis.from) * PIXELS, Math.max((to - from) * PIXELS, 14)];
}

interface BoxProps {
  box: Box;
  column: Column;
  axis: Axis;
  clock: Clock;
  services: ReadonlyMap<string, Service>;
  dim: boolean;
  marked: boolean;
}

function BoxView({ box, column, axis, clock, services, dim, marked }: BoxProps) {
  const { appointment, block, placed, start, end } = box;
  const [top, height] = extent(column, axis, start, end);
  const { zone } = column.line;
  const wide = 100 / placed.lanes;
  const style = { top: `${top}px`, height: `${height - 1}px`, left: `${placed.lane * wide}%`, width: `calc(${wide}% - 3px)` };
  const span = clock.span(start, end, zone);
  const size = height < 20 ? "tiny" : height < 40 ? "short" : height < 56 ? "tall" : "tall roomy";
  if (!appointment) {
    const reason = block?.reason ?? "";
    return (
      <button type="button" class={`box s-blocked ${size}`} style={style} data-box={box.key} data-block tabIndex={-1} title={`${span} Blocked ${reason}`}
        aria-label={`Blocked ${reason}, ${span}, ${nameOf(column.calendar.calendarId)}`}>
        <span class="line"><Icon name="blocked" /> <b>Blocked</b> {reason}</span>
      </button>
    );
  }
  return <AppointmentBox {...{ appointment, box, column, style, span, size, dim, marked, services }} start={clock.time(start, zone)} />;
}

interface AppointmentProps {
  appointment: Appointment;
  box: Box;
  column: Column;
  style: Record<string, string>;
  span: string;
  size: string;
  dim: boolean;
  marked: boolean;
  start: string;
  services: ReadonlyMap<string, Service>;
}

function AppointmentBox({ appointment, box, column, style, span, size, dim, marked, start, services }: AppointmentProps) {
  const look = lookOf(appointment.status);
  const person = personOf(appointment);
  const subject = subjectOf(appointment, services);
  const tall = size.startsWith("tall");
  const state = appointment.status === "scheduled" ? "" : look.label;
  // It begins with what can be seen, so that who speaks to the page can say that.
  const shown = `${start} ${person}${tall ? ` ${state} ${subject ?? ""}` : ""}`.replace(/\s+/g, " ").trim();
  const label = [shown, span, !tall && subject, look.label, appointment.confirmedAt && "confirmed", nameOf(column.calendar.calendarId)].filter(Boolean).join(", ");
  const kind = `box s-${appointment.status} ${size}${dim ? " dim" : ""}${marked ? " marked" : ""}${isMovable(appointment) ? " movable" : ""}`;
  return (
    <button type="button" class={kind} style={style} data-box={box.key} data-appointment={appointment.appointmentId} tabIndex={-1} aria-label={label} title={label}>
      <span class="line">
        <Icon name={look.icon} /> <b>{start}</b> {person}
        {appointment.confirmedAt && appointment.status === "scheduled" && <Icon name="confirmed" />}
      </span>
      {tall && <span class="line more"> {state && <i class={look.short ? "long" : ""}>{state}</i>}{state && look.short && <i class="brief">{look.short}</i>} {subject}</span>}
      {isResizable(appointment) && <span class="grip" data-grip />}
    </button>
  );
}
