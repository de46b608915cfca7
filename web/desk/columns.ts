/** What the grid draws: groups of columns, one group a zone, each column a calendar on a day with what lies there. */
import { axisOf, dayLine, placeOf, type Axis, type DayLine } from "./axis";
import { openRanges, rest, type Range } from "./hours";
import { lanesOf, shownHours, type Placed } from "./layout";
import { calendarsOf, moment, segmentsOn, type Appointment, type Block, type Calendar } from "./model";

export interface Box {
  key: string;
  start: number;
  end: number;
  appointment?: Appointment;
  block?: Block;
  placed: Placed;
}

export interface Column {
  key: string;
  calendar: Calendar;
  line: DayLine;
  closed: Range[];
  boxes: Box[];
}

export interface Group {
  zone: string;
  axis: Axis;
  columns: Column[];
}

/** Appointments and blocks by the calendars that they lie on. */
export function byCalendar(appointments: readonly Appointment[], blocks: readonly Block[]): Map<string, Omit<Box, "placed">[]> {
  const found = new Map<string, Omit<Box, "placed">[]>();
  const add = (calendarId: string, box: Omit<Box, "placed">): void => {
    const boxes = found.get(calendarId);
    if (boxes) boxes.push(box);
    else found.set(calendarId, [box]);
  };
  for (const appointment of appointments) {
    for (const calendarId of calendarsOf(appointment)) {
      segmentsOn(appointment, calendarId).forEach(({ start, end }, index) => {
        add(calendarId, { key: `${appointment.appointmentId} ${index}`, start, end, appointment });
      });
    }
  }
  for (const block of blocks) {
    add(block.calendarId, { key: block.blockId, start: moment(block.startTime), end: moment(block.endTime), block });
  }
  return found;
}

/** The columns of some calendars on some days: by day, then by calendar. */
export function groupsOf(
  calendars: readonly Calendar[],
  days: readonly string[],
  lying: ReadonlyMap<string, Omit<Box, "placed">[]>,
  wholeDay: boolean,
): Group[] {
  const zones = [...new Set(calendars.map(({ timeZone }) => timeZone))];
  return zones.map((zone) => {
    const own = calendars.filter(({ timeZone }) => timeZone === zone);
    const columns = days.flatMap((day) => {
      const line = dayLine(day, zone);
      return own.map((calendar) => columnOf(calendar, line, lying.get(calendar.calendarId) ?? []));
    });
    const lines = columns.map(({ line }) => line);
    const [from, to] = wholeDay ? [0, 1440] : hoursOf(columns);
    return { zone, axis: axisOf(lines, from, to), columns };
  });
}

function columnOf(calendar: Calendar, line: DayLine, lying: readonly Omit<Box, "placed">[]): Column {
  const closed = rest(openRanges(calendar, line), line.start, line.end);
  const here = lying.filter(({ start, end }) => start < line.end && end > line.start);
  here.sort((a, b) => a.start - b.start || b.end - a.end || (a.key < b.key ? -1 : 1));
  const lanes = lanesOf(here);
  const boxes = here.map((box, index) => ({ ...box, placed: lanes[index] as Placed }));
  return { key: `${line.day} ${calendar.calendarId}`, calendar, line, closed, boxes };
}

/** From when to when, by the clock, anything is open or lies there. */
function hoursOf(columns: readonly Column[]): [number, number] {
  const clock = (line: DayLine, [from, to]: Range): [number, number] => {
    const plain: Axis = { from: 0, to: 1440 };
    const [first, last] = [placeOf(plain, line, from), placeOf(plain, line, to)];
    return last > first ? [first, last] : [first, 1440];
  };
  const open: [number, number][] = [];
  const taken: [number, number][] = [];
  for (const { line, closed, boxes } of columns) {
    const ranges = rest(closed, line.start, line.end);
    const always = ranges.length === 1 && ranges[0]?.[0] === line.start && ranges[0][1] === line.end;
    if (!always) open.push(...ranges.map((range) => clock(line, range)));
    for (const { start, end, block } of boxes) {
      // A block of the whole day says nothing about when people work.
      if (block && end - start >= 12 * 3_600_000) continue;
      taken.push(clock(line, [Math.max(start, line.start), Math.min(end, line.end)]));
    }
  }
  return shownHours(open, taken);
}
