/**
 * Where a visitor is on the page, as an entry of the browser's history keeps it: it is there after Back, Forward and a
 * reload, and needs neither cookies nor storage.
 */

export type Place =
  | { at: "services" }
  | { at: "times"; service: string; day?: string }
  | { at: "details"; service: string; start: string; token?: string }
  | { at: "done"; service: string; token: string };

const FIELDS: Record<Place["at"], string[]> = {
  services: [],
  times: ["service"],
  details: ["service", "start"],
  done: ["service", "token"],
};

/** What an entry keeps, unless it is another page's or another version's. */
export function placeIn(state: unknown): Place | undefined {
  if (typeof state !== "object" || state === null || !("at" in state)) return undefined;
  const kept = state as Record<string, unknown>;
  if (!Object.hasOwn(FIELDS, String(kept["at"]))) return undefined;
  const fields = FIELDS[kept["at"] as Place["at"]];
  return fields.every((name) => typeof kept[name] === "string") ? (kept as unknown as Place) : undefined;
}

/** Where the visitor is: as the entry of the history keeps it, or else as its address asks. */
export function placeNow(): Place {
  const service = new URLSearchParams(location.search).get("service");
  return placeIn(history.state) ?? (service === null ? { at: "services" } : { at: "times", service });
}

/** The address with the service that is shown, so that a bookmark leads there. It never holds a token. */
function addressOf(place: Place): string {
  const query = new URLSearchParams(location.search);
  if (place.at === "services") query.delete("service");
  else query.set("service", place.service);
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

export const enter = (place: Place): void => history.pushState(place, "", addressOf(place));

export const stay = (place: Place): void => history.replaceState(place, "", addressOf(place));
