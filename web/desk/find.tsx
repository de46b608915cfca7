/** Find a person: by phone, email or id everywhere; by name, which nothing is listed by, in what lies near. */
import { useState } from "preact/hooks";
import { ApiError } from "../shared/api";
import { startOfDay } from "../shared/zones";
import type { Clock } from "./clock";
import { contactText, isContact } from "./forms";
import { isCalendarId } from "./address";
import { Icon } from "./icons";
import { Modal } from "./modal";
import { calendarsOf, isOf, moment, personOf, subjectOf, utcText, type Appointment, type Page, type Service } from "./model";
import { namesOf } from "./names";
import { lookOf } from "./states";
import type { Work } from "./work";

interface Props {
  work: Work;
  clock: Clock;
  zone: string;
  today: string;
  inView: readonly Appointment[];
  /** Whose next days are searched for a name. */
  calendarIds: readonly string[];
  services: ReadonlyMap<string, Service>;
  onClose: () => void;
  onGo: (appointment: Appointment) => void;
}

interface Found {
  text: string;
  appointments: Appointment[];
  /** Whose they all are, so that earlier ones can be asked for. */
  person?: string;
  /** Where the search for a name ended, as more lies in the next days than one answer lists. */
  until?: string;
  earlier?: boolean;
}

export function FindPerson(props: Props) {
  const { work, clock, zone, today, inView, calendarIds } = props;
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Found>();
  const [failed, setFailed] = useState("");

  const look = async (wanted: string): Promise<Found> => {
    const soon: Page = calendarIds.length && !isContact(wanted) ? await work.near(calendarIds, today, zone) : { appointments: [] };
    const until = soon.nextCursor === undefined ? undefined : soon.appointments[soon.appointments.length - 1]?.startTime;
    const near = [...inView, ...soon.appointments].filter((one) => isOf(one, wanted));
    const byContact = isContact(wanted) ? (await work.byContact(contactText(wanted))).appointments : [];
    const from = utcText(startOfDay(today, zone));
    const own = byContact.length === 0 && isCalendarId(wanted) ? (await work.ofPerson(wanted, { from })).appointments : [];
    const all = new Map([...near, ...byContact, ...own].map((one) => [one.appointmentId, one]));
    const people = new Set([...all.values()].map(({ userId }) => userId));
    const [only] = people.size === 1 ? people : isCalendarId(wanted) && !people.size ? [wanted] : [];
    return { text: wanted, appointments: inOrder([...all.values()]), ...(only === undefined ? {} : { person: only }), ...(until === undefined ? {} : { until }) };
  };
  const run = async (search: () => Promise<Found>): Promise<void> => {
    setBusy(true);
    setFailed("");
    try {
      setFound(await search());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailed(whyNot(error));
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
          Name, phone, email or person’s id
          <input type="text" value={text} data-first autocomplete="off" onInput={({ currentTarget }) => setText(currentTarget.value)} />
        </label>
        <button type="submit" class="primary" disabled={busy}>{busy ? "Searching…" : "Find"}</button>
      </form>
      <p class="hint">A name finds who is on the days in view, or in the next 8 days on the calendars that are shown. A phone number with its country code (+49 …), an email address and an id find all days.</p>
      {failed && <p class="refusal" role="alert">{failed}</p>}
      <div role="status">
        {found && found.appointments.length === 0 && !found.earlier && <p class="soft">Nothing was found for “{found.text}”.{isContact(found.text) ? "" : " If it is a name, the appointment may be later, or on a calendar that is not shown: look by phone or email."}</p>}
        {found?.until !== undefined && <p class="soft">So much is booked that names were looked for until {clock.dayAndTime(moment(found.until), zone)} only.</p>}
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
              <span class="soft"><Icon name={look.icon} /> {look.label} · {namesOf(calendarsOf(one).filter((id) => id !== one.userId))}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function whyNot(error: ApiError): string {
  if (error.unreachable) return "The server could not be reached. Try again.";
  // All that is sent for a search is of the form that the server asks for, except a number without its country.
  return error.status === 422 ? "Write a phone number with its country code, such as +49 30 123456." : error.message;
}

const inOrder = (appointments: Appointment[]): Appointment[] => appointments.sort((a, b) => moment(a.startTime) - moment(b.startTime));
