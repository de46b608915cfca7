/** Asks while a part of the page is shown, and again when what it asks about changes. */

import { useEffect, useState } from "preact/hooks";

export interface Asked<T> {
  /** The last answer, also while the next one is on its way. */
  answer?: T;
  error?: unknown;
  waiting: boolean;
  again: () => void;
}

export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>, about: readonly unknown[]): Asked<T> {
  const [round, setRound] = useState(0);
  const [kept, setKept] = useState<{ answer?: T; error?: unknown; waiting: boolean }>({ waiting: true });
  useEffect(() => {
    const aborting = new AbortController();
    setKept(({ answer }) => ({ ...(answer === undefined ? {} : { answer }), waiting: true }));
    ask(aborting.signal).then(
      (answer) => !aborting.signal.aborted && setKept({ answer, waiting: false }),
      (error: unknown) => !aborting.signal.aborted && setKept({ error, waiting: false }),
    );
    return () => aborting.abort();
  }, [...about, round]);
  return { ...kept, again: () => setRound((last) => last + 1) };
}
