/** What the page knows of its window and of the time. */
import { useEffect, useState } from "preact/hooks";

/** The time, good enough for a line on the grid. */
export function useNow(every = 30_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = (): void => setMatches(list.matches);
    change();
    list.addEventListener("change", change);
    return () => list.removeEventListener("change", change);
  }, [query]);
  return matches;
}

const FIVE_MINUTES = 5 * 60_000;

/** Whether the server has other pages by now than this one; asked when somebody comes back to it, and now and then. */
export function useOutdated(ask: () => Promise<{ version: string }>): boolean {
  const [outdated, setOutdated] = useState(false);
  useEffect(() => {
    if (outdated) return undefined;
    const look = (): void => {
      if (document.visibilityState === "visible") void ask().then(({ version }) => setOutdated(version !== __VERSION__), () => undefined);
    };
    const timer = setInterval(look, FIVE_MINUTES);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [outdated]);
  return outdated;
}

/** Whether anybody looks at the page. Coming back to it, or to the network, calls `again`. */
export function useWatching(tell: (watching: boolean) => void, again: () => void): void {
  useEffect(() => {
    const visible = (): void => tell(document.visibilityState === "visible");
    visible();
    document.addEventListener("visibilitychange", visible);
    addEventListener("online", again);
    return () => {
      document.removeEventListener("visibilitychange", visible);
      removeEventListener("online", again);
    };
  }, []);
}
