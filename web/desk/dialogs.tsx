/** The dialog that is open, and what follows from what is done in it. */
import { wallOf } from "../shared/zones";
import { ALL, type Shown } from "./address";
import type { Known } from "./app";
import { AppointmentDialog, BlockDialog } from "./appointment";
import { BookingForm, type Begin } from "./booking";
import { Chooser } from "./chooser";
import type { Clock } from "./clock";
import type { Feed, Seen } from "./feed";
import { FindPerson } from "./find";
import { calendarsOf, moment, personOf, type Appointment, type Block } from "./model";
import type { Moves, Told } from "./moves";
import { nameOf } from "./names";
import type { Requests, Waiting } from "./requests";
import { canTurnBack, isLive } from "./states";
import { WaitingRequests } from "./waiting";
import type { Work } from "./work";

export type Open =
  | { is: "appointment"; appointment: Appointment; zone: string }
  | { is: "block"; block: Block; zone: string }
  | { is: "book"; begin: Begin }
  | { is: "find" }
  | { is: "requests" }
  | { is: "calendars" };

interface Props {
  open: Open;
  setOpen: (open: Open | undefined) => void;
  work: Work;
  feed: Feed;
  requests: Requests;
  waiting: Waiting;
  moves: Moves;
  known: Known;
  clock: Clock;
  now: number;
  signsIn: boolean;
  zone: string;
  /** The one column that is shown, or ALL. */
  only: string;
  today: string;
  shown: Shown;
  show: (some: Partial<Shown>) => void;
  seen: Seen;
  say: (told: Told) => void;
}

export function Dialogs(props: Props) {
  const { open, setOpen, work, feed, known, clock, shown, show, say, seen } = props;
  const close = (): void => setOpen(undefined);
  const ids = [...new Set([...shown.calendarIds, ...known.calendars.map(({ calendarId }) => calendarId)])];
  switch (open.is) {
    case "appointment":
      return <OneAppointment {...props} open={open} ids={ids} />;
    case "block":
      return <BlockDialog block={open.block} zone={open.zone} work={work} clock={clock} onClose={close} onRemoved={() => (close(), void feed.poll(), say({ text: "The time is free again." }))} />;
    case "book": {
      const booked = (appointment: Appointment): void => {
        close();
        feed.keep(appointment);
        props.requests.keep(appointment);
        const zone = open.begin.when.zone;
        const when = clock.dayAndTime(moment(appointment.startTime), zone);
        const done = { held: "Held", requested: "Requested" }[appointment.status as string] ?? "Booked";
        show(whereOf(appointment, { ...props, zone }));
        say({ text: `${done}: ${personOf(appointment)}, ${when}.`, about: appointment.appointmentId });
      };
      const blocked = (text: string): void => (close(), void feed.poll(), say({ text }));
      return <BookingForm begin={open.begin} calendars={ids} services={[...known.services.values()]} {...{ work, clock }} onClose={close} onBooked={booked} onBlocked={blocked} />;
    }
    case "find":
      return <FindPerson {...{ work, clock, zone: props.zone, today: props.today, services: known.services }} inView={seen.appointments} calendarIds={shown.calendarIds} onClose={close} onGo={(one) => goTo(one, props)} />;
    case "requests":
      return <RequestsHere {...props} />;
    case "calendars":
      return <Chooser all={ids} chosen={shown.calendarIds} onClose={close} onChoose={(calendarIds) => show({ calendarIds, ...(shown.only && !calendarIds.includes(shown.only) ? { only: calendarIds[0] ?? ALL } : {}) })} />;
  }
}

/** The day of an appointment, with a column in which it lies. */
function whereOf(appointment: Appointment, { shown, zone, only }: Props): Partial<Shown> {
  const lies = calendarsOf(appointment);
  const resources = lies.filter((id) => id !== appointment.userId);
  const [column = appointment.userId] = resources.length ? resources : lies;
  const there = lies.some((id) => shown.calendarIds.includes(id));
  return {
    day: wallOf(moment(appointment.startTime), zone).day,
    ...(there ? {} : { calendarIds: [...shown.calendarIds, column] }),
    ...(only !== ALL && !lies.includes(only) ? { only: column } : {}),
  };
}

/** To an appointment that was found. */
function goTo(appointment: Appointment, props: Props): void {
  const { show, setOpen, zone } = props;
  show(whereOf(appointment, props));
  setOpen({ is: "appointment", appointment, zone });
}

function RequestsHere(props: Props) {
  const { work, feed, requests, waiting, known, clock, now, setOpen, say } = props;
  const zones = new Map(known.calendars.map(({ calendarId, timeZone }) => [calendarId, timeZone]));
  const zoneOf = (one: Appointment): string => calendarsOf(one).reverse().map((id) => zones.get(id)).find((zone) => zone !== undefined) ?? props.zone;
  const answered = (after: Appointment, what: string): void => {
    feed.keep(after);
    requests.keep(after);
    say({ text: `${what}: ${personOf(after)}.` });
  };
  return (
    <WaitingRequests {...{ waiting, work, clock, now, zoneOf }} services={known.services} onClose={() => setOpen(undefined)} onAnswered={answered}
      onShow={(one) => goTo(one, { ...props, zone: zoneOf(one) })} onOutdated={() => (void feed.poll(), void requests.poll())} />
  );
}

function OneAppointment(props: Props & { open: Extract<Open, { is: "appointment" }>; ids: readonly string[] }) {
  const { open, setOpen, work, feed, moves, known, clock, now, seen, say, ids } = props;
  const { appointment: opened, zone } = open;
  // Others may have changed it meanwhile.
  const newer = seen.appointments.find((one) => one.appointmentId === opened.appointmentId && one.version > opened.version);
  const appointment = newer ?? opened;
  const changed = (before: Appointment, after: Appointment, what: string): void => {
    feed.keep(after);
    props.requests.keep(after);
    const moved = before.startTime !== after.startTime || before.endTime !== after.endTime || before.resourceIds.join() !== after.resourceIds.join();
    const back = moved || canTurnBack(before.status, after.status);
    if (back) moves.remember({ before, after });
    // A service may have found somebody else for the new time.
    const others = after.resourceIds.filter((id) => !before.resourceIds.includes(id)).map(nameOf);
    const whom = others.length ? `, now with ${others.join(", ")}` : "";
    const where = moved ? ` to ${clock.dayAndTime(moment(after.startTime), zone)}${whom}` : "";
    say({ text: `${what}${where}: ${personOf(after)}.`, undo: back });
    if (moved || !isLive(after.status)) setOpen(undefined);
    else setOpen({ ...open, appointment: after });
  };
  const outdated = (): void => {
    void feed.poll();
    work.appointment(appointment.appointmentId).then((now) => setOpen({ ...open, appointment: now }), () => undefined);
  };
  return (
    <AppointmentDialog appointment={appointment} zone={zone} calendars={ids} services={known.services} work={work} clock={clock} now={now} signsIn={props.signsIn}
      onClose={() => setOpen(undefined)} onChanged={changed} onOutdated={outdated} />
  );
}
