/** Find a person: by a name that is in view, or by id, phone or email. */
import { useState } from "preact/hooks";
import { ApiError } from "../shared/api";
import { startOfDay } from "../shared/zones";
import type { Clock } from "./clock";
import { contactText, isContact } from "./forms";
import { isCalendarId } from "./address";
import { Icon } from "./icons";
import { Modal } from "./modal";
import { calendarsOf, moment, personOf, subjectOf, utcText, type Appointment, type Service } from "./model";
import { lookOf } from "./states";
import type { Work } from "./work";

interface Props {
  work: Work;
  clock: Clock;
  zone: string;
  today: string;
  inView: readonly Appointment[];
  services: ReadonlyMap<string, Service>;
  onClose: () => void;
  onGo: (appointment: Appointment) => void;
}

interface Found {
  text: string;
  appointments: Appointment[];
  /** Whose they all are, so that earlier ones can be asked for. */
  person?: string;
  earlier?: boolean;
}

export function FindPerson(props: Props) {
  const { work, clock, zone, today, inView } = props;
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Found>();
  const [failed, setFailed] = useState("");

  const look = async (wanted: string): Promise<Found> => {
    const near = inView.filter((one) => `${personOf(one)} ${one.userId} ${one.contact?.email ?? ""} ${one.contact?.phone ?? ""}`.toLowerCase().includes(wanted.toLowerCase()));
    const byContact = isContact(wanted) ? (await work.byContact(contactText(wanted))).appointments : [];
    const from = utcText(startOfDay(today, zone));
    const own = byContact.length === 0 && isCalendarId(wanted) ? (await work.ofPerson(wanted, { from })).appointments : [];
    const all = new Map([...near, ...byContact, ...own].map((one) => [one.appointmentId, one]));
    const people = new Set([...all.values()].map(({ userId }) => userId));
    const [only] = people.size === 1 ? people : isCalendarId(wanted) && !people.size ? [wanted] : [];
    return { text: wanted, appointments: inOrder([...all.values()]), ...(only === undefined ? {} : { person: only }) };
  };
  const run = async (search: () => Promise<Found>): Promise<void> => {
    setBusy(true);
    setFailed("");
    try {
      setFound(await search());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailed(error.unreachable ? "The server could not be reached. Try again." : error.message);
    }
    setBusy(false);
  };
  const earlier = async ({ person = "", ...rest }: Found): Promise<Found> => {
    const page = await work.ofPerson(person, { to: utcText(startOfDay(today, zone)) });
    const all = new Map([...rest.appointments, ...page.appointments].map((one) => [one.appointmentId, one]));
    return { ...rest, person, appointments: inOrder([...all.values()]), earlier: true };
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text.trim()) void run(() => look(text.trim()));
  };
  return (
    <Modal title="Find a person" onClose={props.onClose}>
      <form class="find" role="search" onSubmit={submit}>
        <label class="field wide">
          Name in view, phone, email or person’s id
          <input type="text" value={text} data-first autocomplete="off" onInput={({ currentTarget }) => setText(currentTarget.value)} />
        </label>
        <button type="submit" class="primary" disabled={busy}>{busy ? "Searching…" : "Find"}</button>
      </form>
      {failed && <p class="refusal" role="alert">{failed}</p>}
      <div role="status">
        {found && found.appointments.length === 0 && !found.earlier && <p class="soft">Nothing was found for “{found.text}”. A name is looked for on the days in view only; phone, email and id everywhere.</p>}
        {found && found.appointments.length === 0 && found.earlier && <p class="soft">There is nothing earlier either.</p>}
      </div>
      {found && <Results {...props} appointments={found.appointments} clock={clock} />}
      {found?.person !== undefined && !found.earlier && <button type="button" disabled={busy} onClick={() => void run(() => earlier(found))}>Also before today</button>}
    </Modal>
  );
}

function Results({ appointments, clock, zone, services, onGo }: Props & { appointments: Appointment[] }) {
  return (
    <ul class="results">
      {appointments.map((one) => {
        const look = lookOf(one.status);
        return (
          <li key={one.appointmentId}>
            <button type="button" onClick={() => onGo(one)}>
              <b>{clock.dayAndTime(moment(one.startTime), zone)}</b>
              <span>{personOf(one)}{subjectOf(one, services) ? `, ${subjectOf(one, services)}` : ""}</span>
              <span class="soft"><Icon name={look.icon} /> {look.label} · {calendarsOf(one).filter((id) => id !== one.userId).join(", ")}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

const inOrder = (appointments: Appointment[]): Appointment[] => appointments.sort((a, b) => moment(a.startTime) - moment(b.startTime));
