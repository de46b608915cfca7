/** Small parts of the page that several steps have. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { usePage } from "./page";
import type { Failure } from "./visits";

/** The heading of a step. It gets the focus when the step begins, so that who listens hears where they are. */
export function Heading({ children, focus = true }: { children: ComponentChildren; focus?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus) heading.current?.focus();
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}

type Kind = "good" | "bad" | "plain";

const SIGNS: Record<Kind, string> = { good: "✓", bad: "!", plain: "i" };

/** With `reveal`, it is brought into view: what led to it may be far below. */
export function Note({ kind, reveal, children }: { kind: Kind; reveal?: boolean; children: ComponentChildren }) {
  const note = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (reveal) note.current?.scrollIntoView({ block: "center" });
  }, []);
  return (
    <div ref={note} class={`note ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      <span class="sign" aria-hidden="true">
        {SIGNS[kind]}
      </span>
      <div>{children}</div>
    </div>
  );
}

/** What is said to who listens, and shown to nobody. */
export function Said({ children }: { children: string }) {
  return (
    <div class="unseen" role="status">
      {children}
    </div>
  );
}

export function Waiting() {
  const { say } = usePage();
  return (
    <div class="waiting" role="status">
      <span class="dots" aria-hidden="true" />
      <span>{say("loading")}</span>
    </div>
  );
}

const FINAL: readonly Failure[] = ["closed", "unknown", "over", "gone"];

/** Says why there is nothing to see, and what to do. */
export function Stop({ failure, retry }: { failure: Failure; retry: () => void }) {
  const { say } = usePage();
  const offline = failure === "offline";
  const known = offline || FINAL.includes(failure);
  return (
    <section class="card stop">
      <span class={`seal ${known && !offline ? "" : "bad"}`} aria-hidden="true">
        {known && !offline ? "–" : "!"}
      </span>
      <Heading>{known ? say(failure as "closed" | "offline") : say("busy")}</Heading>
      {known && <p class="soft">{say(`${failure as "closed" | "offline"}More`)}</p>}
      {!FINAL.includes(failure) && (
        <button class="main" type="button" onClick={retry}>
          {say("retry")}
        </button>
      )}
    </section>
  );
}
