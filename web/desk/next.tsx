/** The next times that are free for what the form asks for: one click takes one. */
import { useEffect, useState } from "preact/hooks";
import type { Interval } from "../shared/api";
import type { Draft } from "./forms";
import type { Work } from "./work";

// A desk books on quarter hours. A service says its own steps.
const STEP = 15;

/** Which calendars or service are asked about, and for how long; `undefined` while the form names neither. */
export type Wanted = { serviceId: string } | { calendarIds: string[]; durationMinutes: number; stepMinutes: number };

export function wantedOf({ serviceId, calendarIds, when }: Draft): Wanted | undefined {
  if (serviceId) return { serviceId };
  return calendarIds.length > 0 && calendarIds.length <= 20 ? { calendarIds, durationMinutes: when.minutes, stepMinutes: STEP } : undefined;
}

interface Props {
  draft: Draft;
  work: Work;
  say: (interval: Interval) => string;
  onTake: (interval: Interval) => void;
}

export function NextFree({ draft, work, say, onTake }: Props) {
  const wanted = wantedOf(draft);
  const { day, zone } = draft.when;
  // Asked anew when this changes, and not while somebody is still choosing.
  const asked = wanted && day ? JSON.stringify([wanted, day, zone]) : "";
  const [found, setFound] = useState<{ asked: string; times: Interval[] }>();
  useEffect(() => {
    if (!asked || !wanted) return undefined;
    let current = true;
    const timer = setTimeout(() => {
      work.nextFree(wanted, day, zone).then((times) => current && setFound({ asked, times }), () => current && setFound(undefined));
    }, 300);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [asked]);

  if (!asked || found?.asked !== asked) return null;
  if (found.times.length === 0) return <p class="hint" role="status">Nothing is free in the two weeks from this day.</p>;
  return (
    <div class="next" role="group" aria-label="Next free">
      <span class="hint">Next free:</span>
      <ul class="choices">
        {found.times.map((one) => <li key={one.startTime}><button type="button" onClick={() => onTake(one)}>{say(one)}</button></li>)}
      </ul>
    </div>
  );
}
