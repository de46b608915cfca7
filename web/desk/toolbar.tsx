/** The bar above the grid: which days and calendars, and what can be begun. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ALL, type Shown, type View } from "./address";
import type { Clock } from "./clock";
import { Icon } from "./icons";
import { nameOf } from "./names";
import { LOOKS, SHOWN } from "./states";

interface Props {
  shown: Shown;
  days: readonly string[];
  today: string;
  clock: Clock;
  only: string;
  /** What can be taken back, in words. */
  undoes: string | undefined;
  children?: ComponentChildren;
  onShow: (some: Partial<Shown>) => void;
  onStep: (steps: number) => void;
  onCalendars: () => void;
  onFind: () => void;
  onNew: () => void;
  onUndo: () => void;
}

export function Toolbar(props: Props) {
  const { shown, days, today, clock, onShow, onStep } = props;
  const [first = today, last = first] = [days[0], days[days.length - 1]];
  const title = days.length > 1 ? clock.days(first, last) : clock.day(first);
  const unit = shown.view === "week" ? "week" : "day";
  return (
    <header class="bar">
      <h1>{title}</h1>
      <nav class="group" aria-label="Days">
        <button type="button" class="square" aria-label={`Previous ${unit}`} onClick={() => onStep(-1)}><Icon name="back" /></button>
        <button type="button" aria-current={days.includes(today) ? "date" : undefined} onClick={() => onShow({ day: today })}>Today</button>
        <button type="button" class="square" aria-label={`Next ${unit}`} onClick={() => onStep(1)}><Icon name="forth" /></button>
        <input type="date" aria-label="Go to a date" value={shown.day} onChange={({ currentTarget }) => currentTarget.value && onShow({ day: currentTarget.value })} />
      </nav>
      <div class="group seg" role="group" aria-label="View">
        {(["day", "week"] as View[]).map((view) => <button type="button" key={view} aria-pressed={shown.view === view} onClick={() => onShow({ view })}>{view === "day" ? "Day" : "Week"}</button>)}
      </div>
      <div class="group calendars">
        <select aria-label="Columns" value={props.only} onChange={({ currentTarget }) => onShow({ only: currentTarget.value })}>
          <option value={ALL}>All calendars</option>
          {shown.calendarIds.map((id) => <option key={id} value={id}>{nameOf(id)}</option>)}
        </select>
        <button type="button" onClick={props.onCalendars}>Calendars…</button>
      </div>
      <div class="group tools">
        <button type="button" class="primary" onClick={props.onNew}><Icon name="plus" /> New appointment</button>
        <button type="button" onClick={props.onFind}><Icon name="find" /> Find a person</button>
        <button type="button" class="undo" disabled={props.undoes === undefined} title={props.undoes && `Take back: ${props.undoes}`} onClick={props.onUndo}><Icon name="undo" /> Undo</button>
        <button type="button" class="paper" onClick={() => print()}><Icon name="print" /> Print</button>
        <Key />
        {props.children}
      </div>
    </header>
  );
}

function Key() {
  const key = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const away = (event: Event): void => {
      const gone = event instanceof KeyboardEvent ? event.key === "Escape" : !key.current?.contains(event.target as Node);
      if (gone) key.current?.removeAttribute("open");
    };
    addEventListener("pointerdown", away);
    addEventListener("keydown", away);
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("keydown", away);
    };
  }, []);
  return (
    <details class="key" ref={key}>
      <summary>Key</summary>
      <dl>
        {SHOWN.map((status) => (
          <div key={status}><dt class={`sample s-${status}`}><Icon name={LOOKS[status].icon} /> {LOOKS[status].label}</dt><dd>{LOOKS[status].meaning}</dd></div>
        ))}
        <div><dt class="sample s-scheduled">09:00 Anna <Icon name="confirmed" /></dt><dd>The person confirmed that they will come.</dd></div>
        <div><dt class="sample s-blocked"><Icon name="blocked" /> Blocked</dt><dd>Nothing can be booked here.</dd></div>
        <div><dt class="sample s-closed">Closed</dt><dd>Outside working hours.</dd></div>
        <div><dt class="sample">Free</dt><dd>Click, or drag over it, to book.</dd></div>
      </dl>
    </details>
  );
}
