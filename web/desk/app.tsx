/** The desk: what is shown of which days, and which dialog is open over it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Api } from "../shared/api";
import type { Session } from "../shared/gate";
import { settingsOf } from "../shared/settings";
import { wallOf } from "../shared/zones";
import { ALL, daysOf, moved, readAddress, writeAddress, type Shown } from "./address";
import { Clock } from "./clock";
import { byCalendar, groupsOf, type Box, type Column } from "./columns";
import { Dialogs, type Open } from "./dialogs";
import { Feed, type Seen, type Wanted } from "./feed";
import { whenOf } from "./forms";
import { Grid } from "./grid";
import { useMedia, useNow, useOutdated, useWatching } from "./hooks";
import { freeFrom } from "./layout";
import type { Calendar, Service } from "./model";
import { Moves, type MoveState, type Told } from "./moves";
import { byName, nameAll } from "./names";
import { onPaper } from "./print";
import { RefusedHere } from "./refused";
import { NONE, Requests, waitingOf } from "./requests";
import { Standing, Summary, Toast } from "./standing";
import { Toolbar } from "./toolbar";
import { ToApprove } from "./waiting";
import { Work } from "./work";

const CHOSEN = "desk.calendars";
const FIRST_CHOICE = 12;
const HALF_HOUR = 30 * 60_000;
/** A calendar with the form of a user's id is a person's, and no column unless somebody chose it. */
const PERSON = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface Known {
  calendars: Calendar[];
  services: ReadonlyMap<string, Service>;
}

export function Desk({ api, session }: { api: Api; session: Session }) {
  const work = useMemo(() => new Work(api), [api]);
  const [known, setKnown] = useState<Known>();
  const [failed, setFailed] = useState("");
  const load = (): void => {
    setFailed("");
    // The grid waits for the calendars alone: services are names of what it shows.
    const named = work.services().catch(() => []);
    work.calendars().then(
      (calendars) => {
        nameAll(calendars);
        setKnown({ calendars, services: new Map() });
        void named.then((services) => setKnown({ calendars, services: new Map(services.map((one) => [one.serviceId, one])) }));
      },
      (error: unknown) => setFailed(error instanceof Error ? error.message : String(error)),
    );
  };
  useEffect(load, [work]);
  if (failed) return <Standing title="The desk cannot be shown" text={failed} action="Try again" onAction={load} alert />;
  if (!known) return <Standing title="Desk" text="Loading calendars…" busy />;
  return <Board work={work} known={known} session={session} />;
}

function firstShown({ calendars }: Known, now: number): Shown {
  const ids = calendars.map(({ calendarId }) => calendarId).filter((id) => !PERSON.test(id));
  ids.sort(byName);
  const kept = (localStorage.getItem(CHOSEN) ?? "").split(",").filter(Boolean);
  const shown = readAddress(location.search, "");
  const calendarIds = shown.calendarIds.length ? shown.calendarIds : kept.length ? kept : ids.slice(0, FIRST_CHOICE);
  const zone = calendars.find(({ calendarId }) => calendarId === calendarIds[0])?.timeZone ?? "UTC";
  return { ...shown, calendarIds, day: shown.day || wallOf(now, zone).day };
}

function Board({ work, known, session }: { work: Work; known: Known; session: Session }) {
  const now = useNow();
  const outdated = useOutdated(() => settingsOf(work.api));
  const narrow = useMedia("(max-width: 699px)");
  const clock = useMemo(() => new Clock(session.settings.defaultLocale), [session]);
  const [shown, setShown] = useState<Shown>(() => firstShown(known, now));
  const [seen, setSeen] = useState<Seen>({ appointments: [], blocks: [], state: "loading" });
  const [open, setOpen] = useState<Open>();
  const [told, setTold] = useState<Told>();
  const [wholeDay, setWholeDay] = useState(false);
  const [moving, setMoving] = useState<MoveState>({ pending: new Map() });
  const feed = useMemo(() => new Feed(work.ask, setSeen), [work]);
  const [listed, setListed] = useState(NONE);
  const requests = useMemo(() => new Requests(() => work.requests(), setListed), [work]);
  useEffect(() => void requests.poll(), [requests]);
  const waiting = useMemo(() => waitingOf(listed, seen.appointments), [listed, seen.appointments]);
  const moves = useMemo(() => {
    const write = {
      interval: (one: { startTime: string; endTime: string }, { line }: Column) => clock.interval(one, line.zone, line.day),
      span: (start: number, end: number, { line }: Column) => clock.span(start, end, line.zone),
    };
    return new Moves(work, feed, setMoving, setTold, write);
  }, [work, feed, clock]);
  // Nothing older than what was done last can be taken back.
  const saying = (one: Told): void => {
    if (!one.undo) moves.remember(undefined);
    setTold(one);
  };

  const one = shown.view === "week" || narrow;
  const only = shown.only ?? (one ? (shown.calendarIds[0] ?? ALL) : ALL);
  const visible = useMemo(() => calendarsShown(known, shown.calendarIds, only), [known.calendars, shown.calendarIds, only]);
  const zone = visible[0]?.timeZone ?? "UTC";
  const today = wallOf(now, zone).day;
  const { days, after } = useMemo(() => daysOf(shown), [shown.view, shown.day]);
  useEffect(() => feed.show(wantedOf(visible, days[0] as string, after)), [feed, visible, days, after]);
  const live = seen.state === "live";
  useEffect(() => {
    if (!live) return;
    const near = [1, -1].map((steps) => daysOf({ ...shown, day: moved(shown, steps) }));
    void feed.prepare(near.flatMap((next) => wantedOf(visible, next.days[0] as string, next.after)));
  }, [live, visible, days]);
  useWatching((watching) => (feed.watch(watching), requests.watch(watching)), () => (void feed.poll(), void requests.poll()));

  const show = (some: Partial<Shown>): void => {
    const next = { ...shown, ...some };
    setShown(next);
    moves.dismiss();
    history.replaceState(history.state, "", location.pathname + writeAddress(next, today));
    if (some.calendarIds) localStorage.setItem(CHOSEN, some.calendarIds.join(","));
  };
  const groups = useMemo(() => {
    const lying = byCalendar(seen.appointments, seen.blocks);
    return groupsOf(visible, days, lying, wholeDay);
  }, [seen.appointments, seen.blocks, visible, days, wholeDay]);
  const paper = useRef({ groups, clock, services: known.services, now });
  paper.current = { groups, clock, services: known.services, now };
  useEffect(() => onPaper(() => paper.current), []);
  useEffect(() => undoByKey(() => void moves.undo()), [moves]);
  useEffect(() => {
    document.title = `${days.length > 1 ? "Week of " : ""}${clock.shortDay(days[0] as string)} – Desk`;
  }, [days, clock]);

  const free = (column: Column, start: number, end?: number): void => {
    const until = end ?? freeFrom(start, HALF_HOUR, column.boxes);
    const taken = until > start ? until : start + HALF_HOUR;
    setOpen({ is: "book", begin: { when: whenOf(start, taken, column.line.zone), calendarIds: [column.calendar.calendarId] } });
  };
  const openBox = (box: Box, { line }: Column): void => {
    if (box.appointment) setOpen({ is: "appointment", appointment: box.appointment, zone: line.zone });
    else if (box.block) setOpen({ is: "block", block: box.block, zone: line.zone });
  };
  const beginAt = (day: string, calendarId?: string): void => {
    const start = Math.ceil(now / (15 * 60_000)) * 15 * 60_000;
    const when = day === today ? whenOf(start, start + HALF_HOUR, zone) : { day, clock: "09:00", minutes: 30, zone };
    setOpen({ is: "book", begin: { when, calendarIds: calendarId ? [calendarId] : visible.length === 1 ? [visible[0]?.calendarId as string] : [] } });
  };
  const toApprove = <ToApprove waiting={waiting} onOpen={() => setOpen({ is: "requests" })} />;
  return (
    <>
      <Toolbar {...{ shown, days, today, clock, only }} undoes={moves.undoes()} onShow={show} onStep={(steps) => show({ day: moved(shown, steps) })}
        onCalendars={() => setOpen({ is: "calendars" })} onFind={() => setOpen({ is: "find" })} onNew={() => beginAt(shown.view === "day" ? shown.day : days.includes(today) ? today : shown.day)} onUndo={() => void moves.undo()}>
        {session.signOut && <button type="button" class="quiet" onClick={session.signOut} title={session.person?.name}>Sign out</button>}
      </Toolbar>
      <main class="board">
        {outdated && <p class="newer" role="status">There is a newer version of the desk. <button type="button" onClick={() => location.reload()}>Reload</button></p>}
        {visible.length === 0 ? <div class="summary">{toApprove}</div> : <Summary seen={seen} clock={clock} zone={zone} wholeDay={wholeDay} onWholeDay={setWholeDay} onRetry={() => void feed.poll()}>{toApprove}</Summary>}
        {visible.length === 0 ? (
          <Standing title="No calendar is shown" text={known.calendars.length ? "Choose the doctors and rooms that you work with." : "No calendar is configured yet. Add one by its id, such as dr-lee: whatever is booked on it shows here."} action="Choose calendars" onAction={() => setOpen({ is: "calendars" })} />
        ) : (
          <Grid groups={groups} services={known.services} clock={clock} now={now} today={today} week={shown.view === "week"} marked={told?.about} pending={moving.pending}
            onOpen={openBox} onDrop={(held, at) => moves.drop(held, at)} onFree={free} onHead={({ calendar, line }) => beginAt(line.day, calendar.calendarId)} />
        )}
      </main>
      {moving.refused && (
        <RefusedHere refusal={moving.refused.refusal} at={moving.refused.at} onTake={moving.refused.take} onAnyway={moving.refused.anyway} onClose={() => moves.dismiss()}
          say={(interval) => clock.interval(interval, moving.refused?.column.line.zone ?? zone, moving.refused?.column.line.day)} />
      )}
      {open && <Dialogs {...{ open, setOpen, work, feed, requests, waiting, moves, known, clock, now, zone, only, today, shown, show, seen }} signsIn={session.person !== undefined} say={saying} />}
      {told && <Toast told={told} onUndo={() => void moves.undo()} onGone={() => setTold(undefined)} />}
    </>
  );
}

/** What is asked of the server for some days: a list for each zone, as each has midnights of its own. */
function wantedOf(calendars: readonly Calendar[], from: string, to: string): Wanted[] {
  const zones = [...new Set(calendars.map(({ timeZone }) => timeZone))];
  return zones.map((zone) => {
    const own = calendars.filter(({ timeZone }) => timeZone === zone);
    return { zone, calendarIds: own.map(({ calendarId }) => calendarId), from, to };
  });
}

/** The calendars of the columns, in order; one that nobody configured is open at all times. */
function calendarsShown({ calendars }: Known, ids: readonly string[], only: string): Calendar[] {
  const byId = new Map(calendars.map((calendar) => [calendar.calendarId, calendar]));
  const wanted = only === ALL ? ids : [only];
  return wanted.map((calendarId) => byId.get(calendarId) ?? { calendarId, timeZone: "UTC", capacity: 1, version: 0 });
}

function undoByKey(undo: () => void): () => void {
  const key = (event: KeyboardEvent): void => {
    const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !typing) {
      event.preventDefault();
      undo();
    }
  };
  addEventListener("keydown", key);
  return () => removeEventListener("keydown", key);
}
