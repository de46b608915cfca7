/** What stands on the page beside the grid: how current it is, what was just done, and what to do where nothing is shown. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Clock } from "./clock";
import type { Seen } from "./feed";
import { Icon } from "./icons";
import type { Told } from "./moves";

interface StandingProps {
  title: string;
  text: string;
  action?: string;
  onAction?: () => void;
  busy?: boolean;
  alert?: boolean;
}

export function Standing({ title, text, action, onAction, busy = false, alert = false }: StandingProps) {
  return (
    <section class="standing" aria-busy={busy}>
      <h2>{title}</h2>
      <p role={alert ? "alert" : "status"}>{text}</p>
      {action && <button type="button" class="primary" onClick={onAction}>{action}</button>}
    </section>
  );
}

interface SummaryProps {
  seen: Seen;
  clock: Clock;
  zone: string;
  wholeDay: boolean;
  onWholeDay: (whole: boolean) => void;
  onRetry: () => void;
  children?: ComponentChildren;
}

export function Summary({ seen, clock, zone, wholeDay, onWholeDay, onRetry, children }: SummaryProps) {
  return (
    <div class="summary">
      <Current seen={seen} clock={clock} zone={zone} onRetry={onRetry} />
      {children}
      <label class="check"><input type="checkbox" checked={wholeDay} onChange={() => onWholeDay(!wholeDay)} /> <span>24 hours</span></label>
    </div>
  );
}

function Current({ seen, clock, zone, onRetry }: Omit<SummaryProps, "wholeDay" | "onWholeDay" | "children">) {
  const { state, at, error, appointments } = seen;
  if (state === "failed") {
    const why = error?.unreachable ? "No connection." : `${error?.message ?? ""}`;
    const since = at === undefined ? "Nothing is known of this day yet." : `You see what was known at ${clock.seconds(at, zone)}.`;
    return (
      <p class="offline" role="alert">
        <Icon name="no_show" /> <b>{why}</b> {since} <button type="button" onClick={onRetry}>Try again</button>
      </p>
    );
  }
  if (state === "loading") return <p class="soft" role="status">Loading appointments…</p>;
  const count = appointments.length === 1 ? "1 appointment" : `${appointments.length} appointments`;
  const text = appointments.length ? count : "Nothing is booked. Click a free time to book it.";
  return (
    <p class="soft">
      <span role="status">{text}</span>
      <span class="current" data-state={state}>{state === "live" && at !== undefined ? ` · up to date at ${clock.seconds(at, zone)}` : " · updating…"}</span>
    </p>
  );
}

const TOLD_FOR = 12_000;

export function Toast({ told, onUndo, onGone }: { told: Told; onUndo: () => void; onGone: () => void }) {
  useEffect(() => {
    const timer = setTimeout(onGone, TOLD_FOR);
    return () => clearTimeout(timer);
  }, [told]);
  return (
    <div class="toast" role="status">
      <span>{told.text}</span>
      {told.undo && <button type="button" onClick={onUndo}>Undo</button>}
      <button type="button" class="square" aria-label="Dismiss" onClick={onGone}><Icon name="close" /></button>
    </div>
  );
}
