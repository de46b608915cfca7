/** Fields that several forms have. */
import { clockText, minutesOf } from "../shared/zones";
import { lengthText } from "./clock";
import type { When } from "./forms";
import { nameOf } from "./names";

const LENGTHS = [5, 10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 480];

interface WhenProps {
  when: When;
  /** A service decides how long it takes. */
  fixed?: boolean;
  /** The server refused the time. */
  refused?: boolean;
  onChange: (when: When) => void;
}

export function WhenFields({ when, fixed = false, refused = false, onChange }: WhenProps) {
  const lengths = LENGTHS.includes(when.minutes) ? LENGTHS : [...LENGTHS, when.minutes].sort((a, b) => a - b);
  const begin = minutesOf(when.clock);
  const end = begin === undefined ? "" : clockText((begin + when.minutes) % 1440);
  return (
    <div class="row">
      <label class="field">
        Date
        <input type="date" required value={when.day} onInput={({ currentTarget }) => currentTarget.value && onChange({ ...when, day: currentTarget.value })} />
      </label>
      <label class={refused ? "field refused" : "field"}>
        Start
        <input type="time" required name="startTime" aria-invalid={refused || undefined} value={when.clock} onInput={({ currentTarget }) => onChange({ ...when, clock: currentTarget.value.slice(0, 5) })} />
      </label>
      {!fixed && (
        <label class="field">
          Length
          <select value={String(when.minutes)} onChange={({ currentTarget }) => onChange({ ...when, minutes: Number(currentTarget.value) })}>
            {lengths.filter((length) => length > 0).map((length) => <option key={length} value={String(length)}>{lengthText(length)}</option>)}
          </select>
        </label>
      )}
      {!fixed && end && <p class="hint until">until {end}</p>}
    </div>
  );
}

interface CalendarProps {
  legend: string;
  all: readonly string[];
  chosen: readonly string[];
  onChange: (ids: string[]) => void;
}

export function CalendarFields({ legend, all, chosen, onChange }: CalendarProps) {
  const ids = [...new Set([...all, ...chosen])];
  const toggle = (id: string): void => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return (
    <fieldset class="checks">
      <legend>{legend}</legend>
      {ids.map((id) => (
        <label key={id} class="check" title={id}><input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} /> <span>{nameOf(id)}</span></label>
      ))}
    </fieldset>
  );
}

interface TextProps {
  label: string;
  value: string;
  type?: "text" | "tel" | "email" | "search";
  hint?: string;
  /** Where the keyboard begins in a dialog. */
  first?: boolean;
  autocomplete?: string;
  /** As requests name it, so that a refusal finds it. */
  name?: string;
  /** The server refused what is in it. */
  refused?: boolean;
  onChange: (text: string) => void;
  onLeave?: () => void;
}

export function TextField({ label, value, type = "text", hint, first = false, autocomplete = "off", name, refused = false, onChange, onLeave }: TextProps) {
  return (
    <label class={refused ? "field wide refused" : "field wide"}>
      {label}
      <input {...({ type } as { type: "text" })} name={name} value={value} autocomplete={autocomplete} aria-invalid={refused || undefined} data-first={first || undefined} onInput={({ currentTarget }) => onChange(currentTarget.value)} onBlur={() => onLeave?.()} />
      {hint && <span class="hint">{hint}</span>}
    </label>
  );
}
