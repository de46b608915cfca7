/** The step in which a visitor says who they are, while their time is held. */

import { useEffect, useRef, useState } from "preact/hooks";
import { contactOf, EMPTY, type Faults, faultsIn, faultsOf, FIELDS, type Field, type Values } from "./form";
import { SOON, useHold } from "./hold";
import { usePage } from "./page";
import { Heading, Note, Said } from "./parts";
import { type Contact, type Facts, failureOf, isOf, isOfZone, uuid, type Visit } from "./visits";
import { PHONES } from "./words";
import { When } from "./when";
import { countdown, spanOf } from "./dates";
import { ApiError } from "../shared/api";

interface Props {
  facts: Facts;
  start: string;
  /** What is held; nothing where bookings have to be approved. */
  visit: Visit | undefined;
  onHeld: (visit: Visit) => void;
  onDone: (visit: Visit) => void;
  onTaken: () => void;
  onOther: () => void;
}

// What a hold can have become that was not confirmed in time.
const RAN_OUT = ["invalid-transition", "appointment-ended", "appointment-cancelled", "visit-not-found"];

export function Details({ facts, start, visit, onHeld, onDone, onTaken, onOther }: Props) {
  const page = usePage();
  const hold = useHold(facts.serviceId, start, visit, onHeld);
  const [values, setValues] = useState<Values>(EMPTY);
  const [faults, setFaults] = useState<Faults>({});
  const [sending, setSending] = useState(false);
  const [trouble, setTrouble] = useState("");
  const form = useRef<HTMLFormElement>(null);
  // The same for each try, so that one whose answer got lost is not booked twice.
  const [key] = useState(uuid);

  useEffect(() => {
    const first = FIELDS.find((name) => faults[name]);
    if (first) form.current?.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
  }, [faults]);

  const failed = (error: unknown) => {
    if (isOf(error, "time-taken")) return onTaken();
    const found = error instanceof ApiError ? faultsIn(error.problem.errors) : {};
    if (Object.keys(found).length) return setFaults(found);
    return setTrouble(sentence(error));
  };

  const sentence = (error: unknown): string => {
    const failure = failureOf(error);
    const seconds = error instanceof ApiError ? (error.retryAfter ?? 60) : 60;
    if (failure === "often") return page.say("often", { time: spanOf(Math.ceil(seconds / 60), page.locale) });
    if (failure === "offline") return `${page.say("offline")}. ${page.say("offlineMore")}`;
    return page.say(failure === "over" ? "over" : failure === "gone" ? "gone" : "busy");
  };

  const attempt = async (send: () => Promise<void>) => {
    setTrouble("");
    setSending(true);
    await send().catch(failed);
    setSending(false);
  };

  const book = async (contact: Contact): Promise<Visit> => {
    if (hold.token === undefined) return page.visits.book(facts.serviceId, start, contact, key);
    try {
      return await page.visits.confirm(hold.token, contact);
    } catch (error) {
      if (!isOf(error, ...RAN_OUT)) throw error;
      // It may have been booked by a try before, of which no answer came.
      const found = isOf(error, "visit-not-found") ? undefined : await page.visits.get(hold.token);
      if (found?.link) return found;
      return page.visits.book(facts.serviceId, start, contact, key);
    }
  };

  const submit = (event: Event) => {
    event.preventDefault();
    const found = faultsOf(values);
    setFaults(found);
    if (Object.keys(found).length || sending) return;
    const contact = contactOf(values, page.locale, page.zone);
    const { timeZone: _, ...elsewhere } = contact;
    void attempt(async () =>
      onDone(
        await book(contact).catch((error: unknown) => {
          if (isOfZone(error)) return book(elsewhere); // the server does not know the zone yet
          throw error;
        }),
      ),
    );
  };

  const change = (name: Field, value: string) => {
    hold.touch();
    setValues((before) => ({ ...before, [name]: value }));
    setFaults(({ [name]: _, ...others }) => others);
  };

  const field = (name: Field, type: InputProps["type"], complete: string, hint?: string) => (
    <Input
      name={name}
      type={type}
      complete={complete}
      value={values[name]}
      fault={faults[name] && page.say(faults[name])}
      hint={hint}
      onInput={(value) => change(name, value)}
    />
  );

  return (
    <div class="columns">
      <section class="card chosen" aria-labelledby="chosen">
        <h2 id="chosen">{page.say("chosen")}</h2>
        <When facts={facts} start={start} />
        {hold.left !== undefined && <Countdown left={hold.left} />}
        {hold.left !== undefined && <Said>{announcement(hold.left, hold.renewed, page.say)}</Said>}
        {hold.ended && (
          <Note kind="plain">
            <p>{page.say("ended")}</p>
            <button class="second" type="button" disabled={sending} onClick={() => void attempt(hold.again)}>
              {page.say("hold")}
            </button>
          </Note>
        )}
        {visit === undefined && <Note kind="plain">{page.say("asking")}</Note>}
        <button class="plain" type="button" onClick={onOther}>
          {page.say("other")}
        </button>
      </section>
      <form class="card" ref={form} noValidate onSubmit={submit}>
        <Heading>{page.say("details")}</Heading>
        {field("name", "text", "name")}
        <p class="soft either">{page.say("either")}</p>
        {field("email", "email", "email")}
        {field("phone", "tel", "tel", page.say("phoneLike", { example: PHONES[page.language].replaceAll(" ", "\u00a0") }))}
        {trouble && <Note kind="bad">{trouble}</Note>}
        <button class="main" aria-busy={sending} aria-disabled={sending}>
          {visit === undefined ? page.say("ask") : page.say("do")}
        </button>
      </form>
    </div>
  );
}

function announcement(left: number, renewed: boolean, say: ReturnType<typeof usePage>["say"]): string {
  if (left > 0 && left <= SOON) return say("soon");
  return renewed ? say("again") : "";
}

function Countdown({ left }: { left: number }) {
  const { say } = usePage();
  return (
    <p class={`held${left <= SOON ? " soon" : ""}`} role="timer" aria-live="off">
      {say("held", { time: countdown(left) })}
    </p>
  );
}

interface InputProps {
  name: Field;
  type: "text" | "email" | "tel";
  complete: string;
  value: string;
  fault: string | undefined;
  hint: string | undefined;
  onInput: (value: string) => void;
}

function Input({ name, type, complete, value, fault, hint, onInput }: InputProps) {
  const { say } = usePage();
  const told = [...(fault ? [`${name}-fault`] : []), ...(hint ? [`${name}-hint`] : [])].join(" ");
  return (
    <div class={`field${fault ? " faulty" : ""}`}>
      <label for={name}>{say(name)}</label>
      <input
        id={name}
        name={name}
        type={type}
        list={undefined} // the types want to be told so
        autocomplete={complete as "name"}
        maxLength={name === "name" ? 200 : 254}
        value={value}
        required={name === "name"}
        aria-invalid={fault !== undefined}
        aria-describedby={told || undefined}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      {hint && (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
      {fault && (
        <p class="fault" id={`${name}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}
