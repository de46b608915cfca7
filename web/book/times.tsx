/** The step in which a time is chosen: what is free next, the month, and the times of a day. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAsked } from "./asking";
import { Month } from "./month";
import { usePage } from "./page";
import { Note, Said, Stop, Waiting } from "./parts";
import { type Facts, failureOf, isOfZone, type Slot } from "./visits";
import { addMonths, Clock, type Day, dayIn, firstOf, monthOf, placeOf, sameClock, sameClocks } from "./dates";
import { plusDays } from "../shared/zones";

/** So many times are offered before anything is chosen. */
const NEXT = 3;
/** Days of one question, and questions before there is said to be nothing: half a year. */
const SPAN = 61;
const SPANS = 3;
/** The months that can be shown. */
const MONTHS = 12;

interface Props {
  facts: Facts;
  /** The day that was chosen before, after Back or a reload. */
  day: Day | undefined;
  /** How often in a row somebody else was faster. */
  taken: number;
  /** The start that is being asked for. */
  picking: string | undefined;
  onDay: (day: Day) => void;
  onPick: (start: string) => void;
}

export function Times({ facts, day, taken, picking, onDay, onPick }: Props) {
  const page = usePage();
  const [now] = useState(() => new Date().toISOString());
  const differs = useMemo(() => !sameClocks(now, page.zone, facts.timeZone), [facts]);
  const [own, setOwn] = useState(true);
  const zone = differs && !own ? facts.timeZone : page.zone;
  const clock = useMemo(() => new Clock(page.locale, zone), [zone]);
  const there = useMemo(() => new Clock(page.locale, facts.timeZone), [facts]);
  const today = dayIn(now, zone);

  const next = useAsked(async (signal) => {
    for (let n = 0; n < SPANS; n++) {
      const span = { from: plusDays(today, n * SPAN), to: plusDays(today, (n + 1) * SPAN), zone };
      const found = await page.visits.times(facts.serviceId, span, NEXT, signal);
      if (found.length) return found;
    }
    return [];
  }, [facts.serviceId, zone, taken]);

  const [chosen, setChosen] = useState(day);
  const [month, setMonth] = useState(day && monthOf(day));
  useEffect(() => {
    // Of nothing chosen, the next free day is shown.
    if (chosen || !next.answer) return;
    const first = next.answer[0];
    if (first) setChosen(clock.day(first.startTime));
    setMonth(first ? monthOf(clock.day(first.startTime)) : monthOf(today));
  }, [next.answer]);

  // A browser may know a zone that the server does not know yet. Then times are those of the place.
  useEffect(() => {
    if (own && isOfZone(next.error)) setOwn(false);
  }, [next.error]);

  if (next.error && !(own && differs && isOfZone(next.error))) return <Stop failure={failureOf(next.error)} retry={next.again} />;
  if (!next.answer || !month) return <Waiting />;
  if (!next.answer.length) {
    return (
      <section class="card stop">
        <span class="seal" aria-hidden="true">
          –
        </span>
        <h2>{page.say("nothing")}</h2>
        <p class="soft">{page.say("nothingMore")}</p>
        <button class="main" type="button" onClick={next.again}>
          {page.say("retry")}
        </button>
      </section>
    );
  }

  const choose = (picked: Day) => {
    setChosen(picked);
    setMonth(monthOf(picked));
    onDay(picked);
  };
  const shared = { facts, zone, clock, there, taken, picking, onPick };
  return (
    <>
      {taken > 0 && (
        <Note key={taken} kind="bad" reveal>
          {page.say("taken")}
        </Note>
      )}
      <section class="card next" aria-labelledby="next">
        <h2 id="next">{page.say("next")}</h2>
        <ul class="starts wide">
          {next.answer.map((slot) => (
            <li key={slot.startTime}>
              <Start {...shared} slot={slot} text={clock.moment(slot.startTime)} />
            </li>
          ))}
        </ul>
        {differs && <Zones own={own} there={facts.timeZone} onOwn={setOwn} />}
        {!differs && <p class="soft zone">{page.say("yours", { zone: placeOf(zone) })}</p>}
      </section>
      <Choice {...shared} today={today} month={month} chosen={chosen} onMonth={setMonth} onDay={choose} />
    </>
  );
}

function Zones({ own, there, onOwn }: { own: boolean; there: string; onOwn: (own: boolean) => void }) {
  const page = usePage();
  return (
    <p class="soft zone">
      {own ? page.say("yours", { zone: placeOf(page.zone) }) : page.say("theirs", { zone: placeOf(there) })}{" "}
      <button class="plain" type="button" onClick={() => onOwn(!own)}>
        {own ? page.say("showTheirs") : page.say("showYours")}
      </button>
    </p>
  );
}

interface Shared {
  facts: Facts;
  zone: string;
  clock: Clock;
  there: Clock;
  taken: number;
  picking: string | undefined;
  onPick: (start: string) => void;
}

interface ChoiceProps extends Shared {
  today: Day;
  month: string;
  chosen: Day | undefined;
  onMonth: (month: string) => void;
  onDay: (day: Day) => void;
}

/** The month on one side, and the times of the chosen day on the other. */
function Choice(props: ChoiceProps) {
  const { facts, zone, today, month, chosen, taken, onMonth, onDay } = props;
  const page = usePage();
  const first = monthOf(today);
  const from = month === first ? today : firstOf(month);
  const after = firstOf(addMonths(month, 1));
  const days = useAsked(
    async (signal) => ({ month, free: await page.visits.days(facts.serviceId, { from, to: after, zone }, signal) }),
    [facts.serviceId, zone, month, taken],
  );
  const free = days.answer?.month === month ? days.answer.free : undefined;
  const empty = free && ![...free.values()].some((count) => count);
  const times = useRef<HTMLDivElement>(null);
  const pick = (day: Day) => {
    onDay(day);
    // On a phone, the times are below the month.
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (times.current && times.current.getBoundingClientRect().top > innerHeight * 0.6) {
      times.current.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
    }
  };
  return (
    <section class="card choice">
      <div>
        <h2>{page.say("day")}</h2>
        <Month
          month={month}
          first={first}
          last={addMonths(first, MONTHS)}
          today={today}
          chosen={chosen}
          free={free}
          waiting={days.waiting}
          onMonth={onMonth}
          onDay={pick}
        />
      </div>
      <div ref={times} class="side">
        {days.error !== undefined && !days.waiting ? (
          <Trouble error={days.error} again={days.again} />
        ) : empty ? (
          <EmptyMonth {...props} after={after} />
        ) : chosen && monthOf(chosen) === month ? (
          <DayTimes {...props} day={chosen} />
        ) : (
          <p class="soft">{free ? page.say("day") : page.say("loading")}</p>
        )}
      </div>
    </section>
  );
}

function Trouble({ error, again }: { error: unknown; again: () => void }) {
  const { say } = usePage();
  const offline = failureOf(error) === "offline";
  return (
    <>
      <Note kind="bad">{offline ? `${say("offline")}. ${say("offlineMore")}` : say("busy")}</Note>
      <button class="second" type="button" onClick={again}>
        {say("retry")}
      </button>
    </>
  );
}

/** Nothing is free in this month: what is the next after it. */
function EmptyMonth({ facts, zone, clock, month, after, onDay }: ChoiceProps & { after: Day }) {
  const page = usePage();
  const next = useAsked(
    (signal) => page.visits.times(facts.serviceId, { from: after, to: plusDays(after, SPAN), zone }, 1, signal),
    [facts.serviceId, zone, month],
  );
  const found = next.waiting ? undefined : next.answer?.[0];
  return (
    <div class="empty">
      <p>{page.say("none", { month: page.dates.month(month) })}</p>
      {found && (
        <button class="second" type="button" onClick={() => onDay(clock.day(found.startTime))}>
          {page.say("after", { time: clock.moment(found.startTime) })}
        </button>
      )}
    </div>
  );
}

function DayTimes(props: ChoiceProps & { day: Day }) {
  const { facts, zone, clock, day, taken } = props;
  const page = usePage();
  const asked = useAsked(
    async (signal) => {
      const span = { from: day, to: plusDays(day, 1), zone };
      return { day, slots: await page.visits.times(facts.serviceId, span, undefined, signal) };
    },
    [facts.serviceId, zone, day, taken],
  );
  const slots = asked.answer?.day === day ? asked.answer.slots : undefined;
  const texts = slots ? clock.times(slots.map(({ startTime }) => startTime)) : [];
  const title = page.say("freeOn", { day: page.dates.long(day) });
  return (
    <>
      <h2 id="times">{title}</h2>
      <Said>{slots ? `${title}, ${page.say("freeCount", { count: String(slots.length) })}` : ""}</Said>
      {asked.error !== undefined && !asked.waiting && <Trouble error={asked.error} again={asked.again} />}
      {!slots && asked.waiting && <Waiting />}
      {slots && (
        <ul class="starts" aria-labelledby="times">
          {slots.map((slot, n) => (
            <li key={slot.startTime}>
              <Start {...props} slot={slot} text={texts[n] ?? ""} />
            </li>
          ))}
        </ul>
      )}
      {slots?.length === 0 && <p class="soft">{page.say("full")}</p>}
    </>
  );
}

/** One start: a button, with the clock of the place beside it where that shows another time. */
function Start({ facts, zone, clock, there, picking, onPick, slot, text }: Shared & { slot: Slot; text: string }) {
  const page = usePage();
  const start = slot.startTime;
  const elsewhere = !sameClock(start, zone, facts.timeZone);
  const otherDay = clock.day(start) !== there.day(start);
  return (
    <button
      type="button"
      class="start"
      data-start={start}
      disabled={picking !== undefined}
      aria-busy={picking === start}
      onClick={() => onPick(start)}
    >
      <span>{text}</span>
      {elsewhere && (
        <small>
          {page.say("there", { time: otherDay ? there.moment(start) : there.time(start), zone: placeOf(facts.timeZone) })}
        </small>
      )}
    </button>
  );
}
