/** A refusal of the server, with what it offers instead. */
import { useEffect, useRef } from "preact/hooks";
import type { Interval } from "../shared/api";
import { Icon } from "./icons";
import type { Refusal } from "./refusal";

interface Props {
  refusal: Refusal;
  /** An interval, as a button says it. */
  say: (interval: Interval) => string;
  onTake?: ((interval: Interval) => void) | undefined;
  /** Do it without the notice. */
  onAnyway?: (() => void) | undefined;
  /** What the button for that says. */
  anyway?: string;
}

/** What is told may begin below what is seen of a form: it is brought into view. */
function useSeen(what: unknown) {
  const told = useRef<HTMLDivElement>(null);
  useEffect(() => told.current?.scrollIntoView({ block: "nearest" }), [what]);
  return told;
}

/** What a form lacks before the server is asked. */
export function Lacking({ lines }: { lines: string[] }) {
  return <div class="refusal" role="alert" ref={useSeen(lines)}>{lines.map((line) => <p key={line}>{line}</p>)}</div>;
}

export function Refused({ refusal, say, onTake, onAnyway, anyway = "Move anyway" }: Props) {
  const told = useSeen(refusal);
  return (
    <div class="refusal" role="alert" ref={told}>
      <strong>{refusal.title}</strong>
      {refusal.lines.filter(Boolean).map((line) => <p key={line}>{line}</p>)}
      {refusal.checking && <p class="soft">Looking for what is possible…</p>}
      {onTake && refusal.alternatives.length > 0 && (
        <>
          <p class="soft">{refusal.unsure ? "Within the rules, unless it is taken:" : "Free instead:"}</p>
          <ul class="choices">
            {refusal.alternatives.map((one) => (
              <li key={one.startTime}><button type="button" onClick={() => onTake(one)}>{say(one)}</button></li>
            ))}
          </ul>
        </>
      )}
      {onAnyway && refusal.notice && (
        <div class="anyway">
          <p class="soft">The desk may book without the notice, such as for somebody who is here. Whether the time is free is decided then.</p>
          <button type="button" onClick={onAnyway}>{anyway}</button>
        </div>
      )}
    </div>
  );
}

/** Where something was dropped: the refusal beside the place. */
export function RefusedHere({ at, onClose, ...refused }: Props & { at: DOMRect; onClose: () => void }) {
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = card.current;
    if (!element) return;
    const { width, height } = element.getBoundingClientRect();
    element.style.left = `${Math.max(8, Math.min(at.x + 12, innerWidth - width - 8))}px`;
    element.style.top = `${Math.max(8, Math.min(at.y + 12, innerHeight - height - 8))}px`;
    (element.querySelector<HTMLElement>(".choices button") ?? element.querySelector<HTMLElement>("button"))?.focus();
  }, [at]);
  return (
    <div class="refused-here" ref={card} role="dialog" aria-label="Refused" onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <button type="button" class="quiet square corner-close" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
      <Refused {...refused} />
    </div>
  );
}
