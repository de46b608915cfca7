/** One appointment, with all that can be done with it; and one block. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, type Interval } from "../shared/api";
import { lengthText, type Clock } from "./clock";
import { CalendarFields, TextField, WhenFields } from "./fields";
import { startOf, timesOf, whenOf, type When } from "./forms";
import { HistoryOf } from "./history";
import { Icon } from "./icons";
import { Modal } from "./modal";
import { calendarsOf, moment, personOf, stamp, subjectOf, type Appointment, type Block, type Service } from "./model";
import { nameOf, namesOf } from "./names";
import { anyway, refusalOf, type Refusal } from "./refusal";
import { Refused } from "./refused";
import { actionsOf, isMovable, isResizable, lookOf, type Action } from "./states";
import type { Work } from "./work";

interface Props {
  appointment: Appointment;
  zone: string;
  calendars: readonly string[];
  services: ReadonlyMap<string, Service>;
  work: Work;
  clock: Clock;
  now: number;
  signsIn: boolean;
  onClose: () => void;
  /** It was changed: as it was, and as it is. */
  onChanged: (before: Appointment, after: Appointment, what: string) => void;
  /** It turned out to be another one than was seen. */
  onOutdated: () => void;
}

export function AppointmentDialog(props: Props) {
  const { appointment, zone, clock, services, now } = props;
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ refusal: Refusal; asked: Record<string, unknown>; what: string }>();
  const [sure, setSure] = useState<Action>();
  const [open, setOpen] = useState<"move" | "title" | "history">();
  const [start, end] = [moment(appointment.startTime), moment(appointment.endTime)];
  const look = lookOf(appointment.status);
  const say = (one: Interval): string => clock.interval(one, zone);

  /** Do it, and tell what became of it. */
  const change = async (body: Record<string, unknown>, what: string): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setRefused(undefined);
    try {
      const after = await props.work.change(appointment, body);
      setOpen(undefined);
      props.onChanged(appointment, after, what);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const own = "resourceIds" in body ? undefined : appointment;
      setRefused({ refusal: refusalOf(error, say, own), asked: body, what });
      if (error.status === 412 || error.status === 404 || error.status === 409) props.onOutdated();
    }
    setSure(undefined);
    setBusy(false);
  };
  const act = (action: Action): void => {
    if (action.sure && sure?.status !== action.status) setSure(action);
    else void change({ status: action.status }, done(appointment, action));
  };
  // On the calendars and with the length that were asked for.
  const take = (one: Interval): void => {
    const { status: _, ...asked } = refused?.asked ?? {};
    const end = "endTime" in asked ? { endTime: stamp(appointment, moment(one.endTime)) } : {};
    void change({ ...asked, startTime: stamp(appointment, moment(one.startTime)), ...end }, "Moved");
  };
  const toggle = (what: "move" | "title" | "history"): void => setOpen(open === what ? undefined : what);
  const actions = actionsOf(appointment, now);
  const button = (action: Action) => <button type="button" key={action.label} class={action.kind} disabled={busy} onClick={() => act(action)}>{action.label}</button>;
  return (
    <Modal title={personOf(appointment)} onClose={props.onClose} kind="of-appointment">
      <p class={`state s-${appointment.status}`}><Icon name={look.icon} /> <b>{look.label}</b>{appointment.confirmedAt && " · the person confirmed"}{expiry(appointment, clock, zone)}</p>
      <Facts {...{ appointment, clock, zone, services }} length={lengthText((end - start) / 60_000)} />
      {refused && <Refused refusal={refused.refusal} say={say} onTake={isMovable(appointment) ? take : undefined} onAnyway={() => void change(anyway(refused.asked), refused.what)} anyway={"status" in refused.asked ? "Book anyway" : "Move anyway"} />}
      {sure ? <Sure action={sure} busy={busy} onYes={() => act(sure)} onNo={() => setSure(undefined)} /> : (
        <div class="actions">
          {actions.filter(({ kind }) => kind !== "danger").map(button)}
          {isMovable(appointment) && <button type="button" aria-expanded={open === "move"} onClick={() => toggle("move")}>Move…</button>}
          <button type="button" aria-expanded={open === "title"} onClick={() => toggle("title")}>Change title…</button>
          <button type="button" aria-expanded={open === "history"} onClick={() => toggle("history")}>Who changed what</button>
          {actions.filter(({ kind }) => kind === "danger").map(button)}
        </div>
      )}
      {open === "move" && <MoveForm {...{ appointment, zone, busy, calendars: props.calendars }} onMove={(body) => void change(body, "Moved")} />}
      {open === "title" && <TitleForm {...{ appointment, busy }} onSave={(title) => void change({ details: { ...appointment.details, title } }, "Changed")} />}
      {open === "history" && <HistoryOf key={appointment.version} appointment={appointment} work={props.work} clock={clock} zone={zone} signsIn={props.signsIn} />}
    </Modal>
  );
}

/** What was done, in a word. */
function done({ status }: Appointment, action: Action): string {
  if (status === "requested" && action.status === "scheduled") return "Approved";
  return lookOf(action.status).label;
}

function expiry({ expiresAt, status }: Appointment, clock: Clock, zone: string): string {
  if (!expiresAt || (status !== "held" && status !== "requested")) return "";
  return ` until ${clock.time(moment(expiresAt), zone)}`;
}

function Facts({ appointment, clock, zone, services, length }: Pick<Props, "appointment" | "clock" | "zone" | "services"> & { length: string }) {
  const { contact, userId } = appointment;
  const [start, end] = [moment(appointment.startTime), moment(appointment.endTime)];
  const subject = subjectOf(appointment, services);
  return (
    <dl class="facts">
      <dt>When</dt>
      <dd>{clock.dayAndTime(start, zone)} – {clock.time(end, zone)} <span class="soft">({length}, {zone})</span></dd>
      {subject && <><dt>What</dt><dd>{subject}</dd></>}
      <dt>Calendars</dt>
      <dd>{namesOf(calendarsOf(appointment).filter((id) => id !== userId)) || "none but the person’s"}</dd>
      {(contact?.phone ?? contact?.email) && (
        <><dt>Contact</dt><dd>{contact?.phone && <a href={`tel:${contact.phone}`}>{contact.phone}</a>} {contact?.email && <a href={`mailto:${contact.email}`}>{contact.email}</a>}</dd></>
      )}
      {appointment.session && <><dt>Session</dt><dd>{appointment.session.seats} seats</dd></>}
      <dt>Person’s id</dt>
      <dd class="soft">{userId}</dd>
    </dl>
  );
}

export function Sure({ action, busy, onYes, onNo }: { action: Action; busy: boolean; onYes: () => void; onNo: () => void }) {
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []); // what was pressed is gone
  return (
    <div class="sure" role="alertdialog" aria-label={`${action.label}?`}>
      <p><b>{action.label}?</b> {action.sure}</p>
      <div class="actions">
        <button type="button" class="danger" disabled={busy} onClick={onYes}>{busy ? "Saving…" : `Yes, ${action.label.toLowerCase()}`}</button>
        <button type="button" ref={keep} onClick={onNo}>Keep it</button>
      </div>
    </div>
  );
}

interface MoveProps {
  appointment: Appointment;
  zone: string;
  busy: boolean;
  calendars: readonly string[];
  onMove: (body: Record<string, unknown>) => void;
}

/** To another time by typing it, and to other calendars. */
function MoveForm({ appointment, zone, busy, calendars, onMove }: MoveProps) {
  const [start, end] = [moment(appointment.startTime), moment(appointment.endTime)];
  const [when, setWhen] = useState<When>(whenOf(start, end, zone));
  const [ids, setIds] = useState(appointment.resourceIds);
  const resizable = isResizable(appointment);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("input")?.focus(), []); // by keyboard, it is what comes next
  const submit = (event: Event): void => {
    event.preventDefault();
    const body: Record<string, unknown> = {};
    const at = startOf(when);
    // A time that the clock skips is for the server to refuse.
    if (at === undefined) Object.assign(body, { startTime: timesOf(when).startTime, timeZone: zone });
    else if (at !== start) body["startTime"] = stamp(appointment, at);
    if (at !== undefined && resizable && when.minutes * 60_000 !== end - start) body["endTime"] = stamp(appointment, at + when.minutes * 60_000);
    if (ids.join() !== appointment.resourceIds.join()) body["resourceIds"] = ids;
    if (Object.keys(body).length) onMove(body);
  };
  return (
    <form class="part" ref={form} onSubmit={submit} noValidate>
      <h3>Move</h3>
      <WhenFields when={when} fixed={!resizable} onChange={setWhen} />
      {resizable && <CalendarFields legend="Calendars" all={calendars.filter((id) => id !== appointment.userId)} chosen={ids} onChange={setIds} />}
      <button type="submit" class="primary" disabled={busy}>{busy ? "Saving…" : "Move"}</button>
    </form>
  );
}

function TitleForm({ appointment, busy, onSave }: { appointment: Appointment; busy: boolean; onSave: (title: string) => void }) {
  const had = appointment.details["title"];
  const [title, setTitle] = useState(typeof had === "string" ? had : "");
  const submit = (event: Event): void => {
    event.preventDefault();
    onSave(title.trim());
  };
  return (
    <form class="part" onSubmit={submit}>
      <TextField label="Title" value={title} onChange={setTitle} />
      <button type="submit" class="primary" disabled={busy}>Save</button>
    </form>
  );
}

interface BlockProps {
  block: Block;
  zone: string;
  work: Work;
  clock: Clock;
  onClose: () => void;
  onRemoved: (block: Block) => void;
}

export function BlockDialog({ block, zone, work, clock, onClose, onRemoved }: BlockProps) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const say = (one: Interval): string => clock.interval(one, zone);
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      await work.unblock(block);
      onRemoved(block);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setRefusal(refusalOf(error, say));
      setBusy(false);
    }
  };
  return (
    <Modal title={`Blocked: ${nameOf(block.calendarId)}`} onClose={onClose}>
      <dl class="facts">
        <dt>When</dt>
        <dd>{clock.dayAndTime(moment(block.startTime), zone)} – {clock.dayAndTime(moment(block.endTime), zone)}</dd>
        {block.reason && <><dt>Reason</dt><dd>{block.reason}</dd></>}
      </dl>
      {refusal && <Refused refusal={refusal} say={say} />}
      <footer class="modal-foot">
        <button type="button" class="quiet" onClick={onClose}>Close</button>
        <button type="button" class="primary" disabled={busy} onClick={() => void remove()}>{busy ? "Saving…" : "Unblock"}</button>
      </footer>
    </Modal>
  );
}
