/** The requests that wait for an answer, on whatever day they are. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../shared/api";
import { Sure } from "./appointment";
import type { Clock } from "./clock";
import { Icon } from "./icons";
import { Modal } from "./modal";
import { calendarsOf, moment, personOf, subjectOf, type Appointment, type Service } from "./model";
import { namesOf } from "./names";
import { refusalOf, type Refusal } from "./refusal";
import { Refused } from "./refused";
import type { Waiting } from "./requests";
import { actionsOf, type Action } from "./states";
import type { Work } from "./work";

/** Beside the grid, whichever day it shows. */
export function ToApprove({ waiting, onOpen }: { waiting: Waiting; onOpen: () => void }) {
  const count = waiting.appointments.length;
  if (!count) return null;
  return (
    <button type="button" class="to-approve" onClick={onOpen}>
      <Icon name="requested" /> {count}{waiting.more ? "+" : ""} to approve
    </button>
  );
}

interface Props {
  waiting: Waiting;
  work: Work;
  clock: Clock;
  now: number;
  services: ReadonlyMap<string, Service>;
  zoneOf: (appointment: Appointment) => string;
  onShow: (appointment: Appointment) => void;
  onAnswered: (after: Appointment, what: string) => void;
  /** It turned out to be another one than was seen. */
  onOutdated: () => void;
  onClose: () => void;
}

export function WaitingRequests(props: Props) {
  const { waiting, work, clock, zoneOf } = props;
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ id: string; refusal: Refusal }>();
  const [sure, setSure] = useState<string>();
  const [last, setLast] = useState("");
  const all = useRef<HTMLDivElement>(null);
  // The button that was pressed is gone with its row: the keyboard goes on with the first that is there.
  useEffect(() => {
    if (last && !all.current?.contains(document.activeElement)) all.current?.querySelector<HTMLElement>("button")?.focus();
  }, [waiting.appointments.length]);
  const answer = async (one: Appointment, { status }: Action): Promise<void> => {
    setBusy(true);
    setRefused(undefined);
    try {
      const after = await work.turn(one, status);
      const what = status === "declined" ? "Declined" : "Approved";
      setLast(`${what}: ${personOf(after)}.`);
      props.onAnswered(after, what);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setRefused({ id: one.appointmentId, refusal: refusalOf(error, (time) => clock.interval(time, zoneOf(one))) });
      props.onOutdated();
    }
    setSure(undefined);
    setBusy(false);
  };
  const act = (one: Appointment, action: Action): void => {
    if (action.sure && sure !== one.appointmentId) setSure(one.appointmentId);
    else void answer(one, action);
  };
  return (
    <Modal title="To approve" onClose={props.onClose}>
      <div ref={all}>
        <p class="soft" role="status">{last} {waiting.appointments.length ? "" : "No request waits."}</p>
        <ul class="requests">
          {waiting.appointments.map((one) => (
            <li key={one.appointmentId}>
              <Request {...props} {...{ one, busy }} sure={sure === one.appointmentId} onAct={(action) => act(one, action)} onKeep={() => setSure(undefined)} />
              {refused?.id === one.appointmentId && <Refused refusal={refused.refusal} say={(time) => clock.interval(time, zoneOf(one))} />}
            </li>
          ))}
        </ul>
        {refused && !waiting.appointments.some(({ appointmentId }) => appointmentId === refused.id) && <Refused refusal={refused.refusal} say={String} />}
        {waiting.more && <p class="soft">There are more. Answer these, and the next ones follow.</p>}
        <footer class="modal-foot"><button type="button" onClick={props.onClose}>Done</button></footer>
      </div>
    </Modal>
  );
}

interface RequestProps extends Props {
  one: Appointment;
  busy: boolean;
  sure: boolean;
  onAct: (action: Action) => void;
  onKeep: () => void;
}

function Request({ one, clock, now, services, zoneOf, busy, sure, onAct, onKeep, onShow }: RequestProps) {
  const [zone, person, subject] = [zoneOf(one), personOf(one), subjectOf(one, services)];
  const actions = actionsOf(one, now).filter(({ status }) => status !== "cancelled");
  const asked = sure && actions.find((action) => action.sure);
  return (
    <>
      <p>
        <b>{person}</b>{subject && `, ${subject}`}<br />
        {clock.dayAndTime(moment(one.startTime), zone)} – {clock.time(moment(one.endTime), zone)}{" "}
        <span class="soft">{namesOf(calendarsOf(one).filter((id) => id !== one.userId))}</span>
        {one.expiresAt && <><br /><span class="soft">Waits until {clock.dayAndTime(moment(one.expiresAt), zone)}</span></>}
      </p>
      {asked ? <Sure action={asked} busy={busy} onYes={() => onAct(asked)} onNo={onKeep} /> : (
        <div class="actions">
          <button type="button" aria-label={`Show ${person}`} onClick={() => onShow(one)}>Show</button>
          {actions.map((action) => <button type="button" key={action.label} class={action.kind} disabled={busy} aria-label={`${action.label} ${person}`} onClick={() => onAct(action)}>{action.label}</button>)}
        </div>
      )}
    </>
  );
}
