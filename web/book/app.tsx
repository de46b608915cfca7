/** The steps of a booking, and the way from one to the next, back, and after a reload. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useAsked } from "./asking";
import { Details } from "./details";
import { Done } from "./done";
import { usePage } from "./page";
import { Heading, Note, Stop, Waiting } from "./parts";
import { enter, type Place, placeNow, stay } from "./place";
import { Times } from "./times";
import { type Facts, failureOf, isOf, type Offered, uuid, type Visit } from "./visits";
import { spanOf } from "./dates";
import { ApiError } from "../shared/api";

export function App() {
  const [place, setPlace] = useState<Place>(placeNow);
  // Whether there is more than one service to choose from, once that is known.
  const [several, setSeveral] = useState<boolean>();

  const go = (to: Place, how: (place: Place) => void = enter) => {
    how(to);
    setPlace(to);
  };
  useEffect(() => {
    const moved = () => setPlace(placeNow());
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);

  if (place.at === "services") return <Services onSeen={(count) => setSeveral(count > 1)} onChoose={(chosen) => go({ at: "times", service: chosen })} />;
  return <Booking key={place.service} {...{ place, go, several, setSeveral }} />;
}

function Services({ onSeen, onChoose }: { onSeen: (count: number) => void; onChoose: (service: string) => void }) {
  const { say, visits, locale } = usePage();
  const asked = useAsked<Offered[]>(() => visits.services(), []);
  useEffect(() => {
    if (asked.answer) onSeen(asked.answer.length);
  }, [asked.answer]);
  if (asked.error) return <Stop failure={failureOf(asked.error)} retry={asked.again} />;
  if (!asked.answer) return <Waiting />;
  if (!asked.answer.length) return <Stop failure="gone" retry={asked.again} />;
  return (
    <>
      <Heading focus={history.state !== null}>{say("what")}</Heading>
      <ul class="services">
        {asked.answer.map((one) => (
          <li key={one.serviceId}>
            <button class="card service" type="button" onClick={() => onChoose(one.serviceId)}>
              <strong>{one.title || one.serviceId}</strong>
              <span class="soft">{spanOf(one.durationMinutes, locale)}</span>
              {one.description && <span>{one.description}</span>}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

interface BookingProps {
  place: Exclude<Place, { at: "services" }>;
  go: (to: Place, how?: (place: Place) => void) => void;
  several: boolean | undefined;
  setSeveral: (several: boolean) => void;
}

/** One service, from the choice of a time to its confirmation. */
function Booking({ place, go, several, setSeveral }: BookingProps) {
  const page = usePage();
  const { service } = place;
  const asked = useAsked<Facts>(() => page.visits.facts(service), [service]);
  // What is held or booked, as the API answered it last.
  const [visit, setVisit] = useState<Visit>();
  const [picking, setPicking] = useState<string>();
  // How often in a row somebody else was faster.
  const [taken, setTaken] = useState(0);
  const [trouble, setTrouble] = useState<unknown>();
  const held = useRef<string | undefined>(undefined);
  const day = useRef<string | undefined>(place.at === "times" ? place.day : undefined);

  const letGo = () => {
    if (!held.current) return;
    void page.visits.release(held.current);
    held.current = undefined;
    setVisit(undefined);
  };
  const hold = (found: Visit) => {
    held.current = found.status === "held" ? found.token : undefined;
    setVisit(found);
  };
  const toTimes = (wasTaken = false) => {
    setTaken((before) => (wasTaken ? before + 1 : 0));
    go({ at: "times", service, ...(day.current ? { day: day.current } : {}) }, stay);
  };
  /** Holds a time and goes on to the details; `how` says whether Back leads here again. */
  const take = async (start: string, how: (place: Place) => void) => {
    setPicking(start);
    setTrouble(undefined);
    try {
      const found = await page.visits.hold(service, start, uuid());
      hold(found);
      go({ at: "details", service, start, token: found.token }, how);
      setTaken(0);
    } catch (error) {
      if (isOf(error, "approval-needed")) go({ at: "details", service, start }, how);
      else if (isOf(error, "time-taken")) toTimes(true);
      else setTrouble(error);
    }
    setPicking(undefined);
  };

  // After Back, Forward or a reload: look what became of what the history's entry names.
  const resume = async (isLeft: () => boolean) => {
    if (!("token" in place) || place.token === undefined || place.token === visit?.token) return;
    try {
      const found = await page.visits.get(place.token);
      if (isLeft()) return;
      if (found.link) {
        setVisit(found);
        go({ at: "done", service, token: found.token }, stay);
      } else if (place.at === "details") {
        // It was let go when the page was left, or is about to be.
        await page.visits.release(place.token);
        if (!isLeft()) await take(place.start, stay);
      } else {
        toTimes();
      }
    } catch (error) {
      if (isOf(error, "visit-not-found")) toTimes();
      else setTrouble(error);
    }
  };
  const [round, setRound] = useState(0);
  useEffect(() => {
    let left = false;
    if (place.at === "times") letGo();
    void resume(() => left);
    return () => {
      left = true;
    };
  }, [place, round]);
  useEffect(() => {
    const shown = ({ persisted }: PageTransitionEvent) => {
      if (persisted) location.reload(); // what was held was let go when the page was left
    };
    addEventListener("pagehide", letGo);
    addEventListener("pageshow", shown);
    return () => {
      removeEventListener("pagehide", letGo);
      removeEventListener("pageshow", shown);
      letGo();
    };
  }, []);

  useEffect(() => {
    if (asked.answer?.title) document.title = page.titled(asked.answer.title);
    // Asked once, behind what is needed; without an answer nothing else is offered.
    if (asked.answer && several === undefined) page.visits.services().then((all) => setSeveral(all.length > 1), () => setSeveral(false));
  }, [asked.answer]);

  if (asked.error) return <Stop failure={failureOf(asked.error)} retry={asked.again} />;
  const facts = asked.answer;
  if (!facts) return <Waiting />;
  return (
    <>
      {place.at === "times" && <About facts={facts} onAnother={several ? () => go({ at: "services" }) : undefined} />}
      {trouble !== undefined && place.at === "times" && (
        <Note kind="bad" reveal>
          {sentence(trouble)}
        </Note>
      )}
      {steps()}
    </>
  );

  function steps() {
    if (!facts) return null;
    const known = visit && "token" in place && visit.token === place.token ? visit : undefined;
    if (place.at === "times") {
      return (
        <Times
          facts={facts}
          day={day.current}
          taken={taken}
          picking={picking}
          onDay={(chosen) => {
            day.current = chosen;
            stay({ at: "times", service, day: chosen });
          }}
          onPick={(start) => void take(start, enter)}
        />
      );
    }
    if (trouble !== undefined) {
      const retry = () => {
        setTrouble(undefined);
        setRound((last) => last + 1);
      };
      return <Stop failure={failureOf(trouble)} retry={retry} />;
    }
    if (place.at === "done") return known?.link ? <Done visit={known} onMore={more} /> : <Waiting />;
    if (place.token !== undefined && !known) return <Waiting />;
    return (
      <Details
        facts={facts}
        start={place.start}
        visit={known}
        onHeld={(found) => {
          hold(found);
          go({ at: "details", service, start: place.start, token: found.token }, stay);
        }}
        onDone={(found) => {
          held.current = undefined;
          setVisit(found);
          go({ at: "done", service, token: found.token }, stay);
        }}
        onTaken={() => toTimes(true)}
        onOther={() => {
          letGo();
          toTimes();
        }}
      />
    );
  }

  function more() {
    day.current = undefined;
    setTaken(0);
    go({ at: "times", service });
  }

  function sentence(error: unknown): string {
    const failure = failureOf(error);
    const seconds = error instanceof ApiError ? (error.retryAfter ?? 60) : 60;
    if (failure === "often") return page.say("often", { time: spanOf(Math.ceil(seconds / 60), page.locale) });
    return failure === "busy" ? page.say("busy") : `${page.say(failure)}. ${page.say(`${failure}More`)}`;
  }
}

function About({ facts, onAnother }: { facts: Facts; onAnother: (() => void) | undefined }) {
  const { say, locale } = usePage();
  return (
    <header>
      <Heading focus={false}>{facts.title || say("book")}</Heading>
      <p class="soft">{spanOf(facts.durationMinutes, locale)}</p>
      {facts.description && <p class="description">{facts.description}</p>}
      {onAnother && (
        <p>
          <button class="plain" type="button" onClick={onAnother}>
            {say("another")}
          </button>
        </p>
      )}
    </header>
  );
}
