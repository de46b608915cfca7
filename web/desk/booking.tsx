/** The form to book an appointment, or to block time. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, type Interval } from "../shared/api";
import type { Clock } from "./clock";
import { CalendarFields, TextField, WhenFields } from "./fields";
import { bookingOf, contactText, isContact, missing, timesOf, whenOf, type Draft, type When } from "./forms";
import { Modal } from "./modal";
import { moment, minutesOfService, personOf, type Appointment, type Service } from "./model";
import { namesOf } from "./names";
import { NextFree } from "./next";
import { tried, untried } from "./offers";
import { lengthText } from "./clock";
import { anyway, refusalOf, type Refusal } from "./refusal";
import { Lacking, Refused } from "./refused";
import type { Work } from "./work";

export interface Begin {
  when: When;
  calendarIds: string[];
}

interface Props {
  begin: Begin;
  calendars: readonly string[];
  services: readonly Service[];
  work: Work;
  clock: Clock;
  onClose: () => void;
  onBooked: (appointment: Appointment) => void;
  onBlocked: (text: string) => void;
}

const EMPTY = { serviceId: "", person: "", name: "", phone: "", email: "", title: "", hold: false };

export function BookingForm(props: Props) {
  const { begin, clock } = props;
  const [blocks, setBlocks] = useState(false);
  const [draft, setDraft] = useState<Draft>({ ...EMPTY, ...begin });
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [faults, setFaults] = useState<string[]>([]);
  const [refusal, setRefusal] = useState<Refusal>();
  // Whether the notice was waived for what was refused, and so is for what is taken instead.
  const [waived, setWaived] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    // Where times are offered, one of these is what comes next.
    if (form.current && refusal?.fields && !refusal.checking && refusal.alternatives.length === 0) focusOn(form.current, refusal.fields);
  }, [refusal]);
  const { zone } = draft.when;
  const say = (one: Interval): string => clock.interval(one, zone, draft.when.day);

  const send = async (asked: Draft, waives = false): Promise<void> => {
    const lacks = blocks ? (asked.calendarIds.length ? [] : ["Choose at least one calendar."]) : missing(asked);
    setFaults(lacks);
    setRefusal(undefined);
    setWaived(waives);
    if (lacks.length || busy) return;
    setBusy(true);
    try {
      if (blocks) props.onBlocked(await blockAll(props.work, asked, reason));
      else {
        const body = bookingOf(asked, () => crypto.randomUUID());
        props.onBooked(await props.work.book(waives ? anyway(body) : body));
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const told = refusalOf(error, say);
      const first = blocks ? undefined : untried(told);
      setRefusal(first ?? told);
      setBusy(false);
      if (!first) return;
      const attempt = (draft: Draft, waived: boolean): Promise<unknown> => {
        const body = bookingOf(draft, () => crypto.randomUUID());
        return props.work.tryBooking(waived ? anyway(body) : body);
      };
      const at = ({ startTime, endTime }: Interval) => attempt({ ...asked, when: whenOf(moment(startTime), moment(endTime), zone) }, waives);
      const after = await tried(told, { at, waived: () => attempt(asked, true) }, say);
      setRefusal((now) => (now === first ? after : now)); // it may be about something else by now
    }
  };
  const take = ({ startTime, endTime }: Interval): void => {
    const next = { ...draft, when: whenOf(moment(startTime), moment(endTime), zone) };
    setDraft(next);
    void send(next, waived);
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void send(draft);
  };
  const turn = (to: boolean): void => {
    setBlocks(to);
    setFaults([]);
    setRefusal(undefined);
  };
  const change = (some: Partial<Draft>): void => setDraft({ ...draft, ...some });
  return (
    <Modal title={blocks ? "Block time" : "New appointment"} onClose={props.onClose}>
      <div class="tabs" role="group" aria-label="What to enter">
        <button type="button" aria-pressed={!blocks} onClick={() => turn(false)}>Appointment</button>
        <button type="button" aria-pressed={blocks} onClick={() => turn(true)}>Block time</button>
      </div>
      <form ref={form} onSubmit={submit} noValidate>
        {blocks ? <BlockFields {...{ draft, change, reason, setReason }} all={props.calendars} /> : <AppointmentFields {...props} {...{ draft, change, say }} refused={refusal?.fields ?? []} />}
        {faults.length > 0 && <Lacking lines={faults} />}
        {refusal && <Refused refusal={refusal} say={say} onTake={blocks ? undefined : take} onAnyway={blocks ? undefined : () => void send(draft, true)} anyway={draft.hold ? "Hold anyway" : "Book anyway"} />}
        <footer class="modal-foot">
          <button type="button" class="quiet" onClick={props.onClose}>Close</button>
          <button type="submit" class="primary" disabled={busy}>{busy ? "Saving…" : blocks ? "Block" : draft.hold ? "Hold" : "Book"}</button>
        </footer>
      </form>
    </Modal>
  );
}

/** To the first of the fields that a refusal names. */
function focusOn(form: HTMLFormElement, fields: readonly string[]): void {
  const named = fields.map((name) => form.elements.namedItem(name)).find((one) => one instanceof HTMLInputElement);
  named?.closest("details")?.setAttribute("open", "");
  named?.focus();
}

/** Blocks each of the calendars; what is said of it afterwards. */
async function blockAll(work: Work, { calendarIds, when }: Draft, reason: string): Promise<string> {
  const body = { ...timesOf(when), ...(reason.trim() ? { reason: reason.trim() } : {}) };
  const placed = await Promise.all(calendarIds.map((id) => work.block(id, body)));
  const meets = new Set(placed.flatMap((block) => block.meets)).size;
  const what = `Blocked ${namesOf(calendarIds)}.`;
  return meets ? `${what} ${meets === 1 ? "1 appointment lies" : `${meets} appointments lie`} in this time and stay${meets === 1 ? "s" : ""} booked.` : what;
}

interface BlockProps {
  draft: Draft;
  change: (some: Partial<Draft>) => void;
  reason: string;
  setReason: (reason: string) => void;
  all: readonly string[];
}

function BlockFields({ draft, change, reason, setReason, all }: BlockProps) {
  return (
    <>
      <WhenFields when={draft.when} onChange={(when) => change({ when })} />
      <CalendarFields legend="Calendars to block" all={all} chosen={draft.calendarIds} onChange={(calendarIds) => change({ calendarIds })} />
      <TextField label="Reason" value={reason} onChange={setReason} hint="Optional. Everybody at the desk sees it." />
    </>
  );
}

interface AppointmentProps extends Props {
  draft: Draft;
  change: (some: Partial<Draft>) => void;
  /** The fields that the server refused. */
  refused: readonly string[];
  say: (interval: Interval) => string;
}

function AppointmentFields({ draft, change, services, calendars, work, refused, say }: AppointmentProps) {
  const field = (name: string) => ({ name, refused: refused.includes(name) });
  const [known, setKnown] = useState<string>();
  const service = services.find(({ serviceId }) => serviceId === draft.serviceId);
  const look = async (typed: string): Promise<void> => {
    if (!isContact(typed) || draft.person) return;
    const page = await work.byContact(contactText(typed)).catch(() => undefined);
    const found = page?.appointments[0];
    if (!found) return;
    setKnown(personOf(found));
    change({ person: found.userId, name: draft.name || (found.contact?.name ?? "") });
  };
  return (
    <>
      <TextField label="Name" {...field("contact.name")} value={draft.name} onChange={(name) => change({ name })} first />
      <div class="row">
        <TextField label="Phone" type="tel" {...field("contact.phone")} value={draft.phone} onChange={(phone) => change({ phone })} onLeave={() => void look(draft.phone)} hint="With the country code, such as +49 …" />
        <TextField label="Email" type="email" {...field("contact.email")} value={draft.email} onChange={(email) => change({ email })} onLeave={() => void look(draft.email)} />
      </div>
      {known !== undefined && <p class="hint" role="status">Known here as {known} ({draft.person}).</p>}
      {services.length > 0 && (
        <label class="field wide">
          Service
          <select value={draft.serviceId} onChange={({ currentTarget }) => change({ serviceId: currentTarget.value })}>
            <option value="">None: choose calendars below</option>
            {services.map((one) => <option key={one.serviceId} value={one.serviceId}>{one.title ?? one.serviceId} ({lengthText(minutesOfService(one))})</option>)}
          </select>
        </label>
      )}
      <WhenFields when={draft.when} fixed={service !== undefined} refused={refused.includes("startTime")} onChange={(when) => change({ when })} />
      {!service && <CalendarFields legend="Calendars" all={calendars} chosen={draft.calendarIds} onChange={(calendarIds) => change({ calendarIds })} />}
      <NextFree {...{ draft, work, say }} onTake={({ startTime, endTime }) => change({ when: whenOf(moment(startTime), moment(endTime), draft.when.zone) })} />
      {service && <p class="hint">The service takes {lengthText(minutesOfService(service))} and chooses its calendars.</p>}
      <TextField label="Title" value={draft.title} onChange={(title) => change({ title })} hint="Optional, such as Check-up" />
      <details>
        <summary>More</summary>
        <TextField label="Person’s id" {...field("userId")} value={draft.person} onChange={(person) => change({ person })} hint="Of somebody who is known; somebody new gets one." />
        <label class="check"><input type="checkbox" checked={draft.hold} onChange={() => change({ hold: !draft.hold })} /> <span>Only hold it for 10 minutes</span></label>
      </details>
    </>
  );
}
