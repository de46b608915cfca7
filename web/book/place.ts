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

export const enter = (place: Place): void => history.pushState(place, "");

export const stay = (place: Place): void => history.replaceState(place, "");
