/** Who changed what: every version of an appointment, the newest first. */
import { useEffect, useState } from "preact/hooks";
import type { Clock } from "./clock";
import { moment, type Appointment, type HistoryEntry } from "./model";
import { namesOf } from "./names";
import { byWhom, happened, lookOf } from "./states";
import type { Work } from "./work";

const NAMES: Record<string, string> = {
  startTime: "start",
  endTime: "end",
  resourceIds: "calendars",
  status: "status",
  details: "details",
  contact: "contact",
  confirmedAt: "confirmed",
  expiresAt: "ends by itself",
  userId: "person",
  reminders: "reminders",
};

interface Props {
  appointment: Appointment;
  work: Work;
  clock: Clock;
  zone: string;
  /** Whether people sign in, so that their changes have their names. */
  signsIn: boolean;
}

export function HistoryOf({ appointment, work, clock, zone, signsIn }: Props) {
  const [entries, setEntries] = useState<HistoryEntry[]>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    work.history(appointment.appointmentId).then(setEntries, () => setFailed(true));
  }, []);
  return (
    <section class="part history" aria-label="Who changed what">
      <h3>Who changed what</h3>
      {failed && <p role="alert">The history could not be read. Close this and try again.</p>}
      {!failed && !entries && <p class="soft" role="status">Loading…</p>}
      {entries?.length === 0 && <p class="soft">Nothing is known yet: changes appear here within seconds.</p>}
      <ol>
        {entries?.map(({ version, at, by, type, changes }) => (
          <li key={version}>
            <b>{happened(type)}</b> <span class="soft">{clock.dayAndTime(moment(at), zone)}, {byWhom(by, type, signsIn)}</span>
            {type !== "appointment.booked" && <ul>{changesOf(changes).map(([name, { from, to }]) => <li key={name}>{NAMES[name] ?? name}{name === "status" ? told(labelOf(from), labelOf(to), clock, zone) : told(from, to, clock, zone)}</li>)}</ul>}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What was changed, without the steps of a visit: they follow from its times and calendars. */
const changesOf = (changes: HistoryEntry["changes"]) => Object.entries(changes).filter(([name]) => name !== "steps");

/** A status by the name that the desk has for it. */
const labelOf = (status: unknown): unknown => (typeof status === "string" ? lookOf(status).label : status);

/** From what to what, where the history says it. */
function told(from: unknown, to: unknown, clock: Clock, zone: string): string {
  if (from === undefined && to === undefined) return "";
  const show = (value: unknown): string => {
    if (value === null || value === undefined) return "nothing";
    if (typeof value === "string") return /^\d{4}-\d\d-\d\dT/.test(value) ? clock.dayAndTime(moment(value), zone) : value;
    return Array.isArray(value) && value.every((one) => typeof one === "string") ? namesOf(value) || "none" : JSON.stringify(value);
  };
  return `: ${show(from)} → ${show(to)}`;
}
