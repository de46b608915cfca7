/** A time that is held while a visitor writes: how long it still is, and what becomes of it at its end. */

import { useEffect, useRef, useState } from "preact/hooks";
import { usePage } from "./page";
import { uuid, type Visit } from "./visits";

/** Others respect a hold so much longer than it lasts, in milliseconds: after that it is asked for anew. */
const GRACE = 6000;
/** How often it is held anew without a word, while the visitor goes on writing. */
const RENEWALS = 2;
const WRITING = 5 * 60_000;
/** Seconds before the end at which it is said that it is near. */
export const SOON = 120;

/** Whether a hold that ends is held anew: for who still writes, and not for ever. */
export const isRenewed = (idle: number, renewals: number): boolean => renewals < RENEWALS && idle < WRITING;

export interface Hold {
  /** What is held now, or was held last; nothing where times are not held. */
  token: string | undefined;
  /** Seconds; nothing where nothing is held. */
  left: number | undefined;
  ended: boolean;
  renewed: boolean;
  /** The visitor does something. */
  touch: () => void;
  /** Raises ApiError where the time is taken. */
  again: () => Promise<void>;
}

export function useHold(service: string, start: string, first: Visit | undefined, onHeld: (visit: Visit) => void): Hold {
  const { visits } = usePage();
  const ends = (visit: Visit) => Date.now() + (visit.secondsLeft ?? 0) * 1000;
  const [held, setHeld] = useState(() => first && { token: first.token, until: ends(first), renewals: 0 });
  const [now, setNow] = useState(Date.now);
  const [ended, setEnded] = useState(false);
  const touched = useRef(Date.now());

  const again = async (renewals: number): Promise<void> => {
    const visit = await visits.hold(service, start, uuid());
    setHeld({ token: visit.token, until: ends(visit), renewals });
    setEnded(false);
    onHeld(visit);
  };

  useEffect(() => {
    if (!held || ended) return undefined;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() < held.until + GRACE) return;
      clearInterval(timer);
      if (!isRenewed(Date.now() - touched.current, held.renewals)) setEnded(true);
      else again(held.renewals + 1).catch(() => setEnded(true));
    }, 1000);
    return () => clearInterval(timer);
  }, [held, ended]);

  return {
    token: held?.token,
    left: held && !ended ? Math.max(0, (held.until - now) / 1000) : undefined,
    ended,
    renewed: (held?.renewals ?? 0) > 0,
    touch: () => {
      touched.current = Date.now();
    },
    again: () => again(0),
  };
}
