/** Lets the desk in where the stack lets it: signs people in, or says what to do. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Api, ApiError, unreachable } from "./api";
import { settingsOf } from "./settings";
import type { Person, SignIn } from "./signin";
import type { Settings } from "./types";
import "./gate.css";

/** What the desk knows of who works at it. There is no person where nobody signs in. */
export interface Session {
  settings: Settings;
  person?: Person;
  signOut?: () => void;
}

type State =
  | { is: "waiting" }
  | { is: "leaving" }
  | { is: "open"; session: Session }
  | { is: "signedOut"; signIn: () => void; problem?: string }
  | { is: "notAllowed"; person: Person; signOut: () => void }
  | { is: "closed"; auth: Settings["auth"] }
  | { is: "failed"; problem: string };

// Whoever signed out is not sent to sign in again at once.
const SIGNED_OUT = "desk.signedOut";

export function Gate({ api, children }: { api: Api; children: (session: Session) => ComponentChildren }) {
  const [state, setState] = useState<State>({ is: "waiting" });
  const enter = () => {
    setState({ is: "waiting" });
    open(api, setState).catch((error: unknown) => setState({ is: "failed", problem: wordsFor(error) }));
  };
  useEffect(enter, [api]);
  return state.is === "open" ? <>{children(state.session)}</> : <Notice state={state} again={enter} />;
}

async function open(api: Api, setState: (state: State) => void): Promise<void> {
  const settings = await settingsOf(api);
  if (settings.auth === "none") return setState({ is: "open", session: { settings } });
  if (settings.auth !== "cognito" || !settings.signIn) return setState({ is: "closed", auth: settings.auth });
  const { SignIn } = await import("./signin");
  const pool = new SignIn(settings.signIn);
  const outcome = await pool.resume();
  if (outcome.person) return admit(api, setState, settings, pool, outcome.person);
  const signIn = () => void leave(pool, setState);
  const stay = outcome.problem !== undefined || sessionStorage.getItem(SIGNED_OUT) !== null;
  sessionStorage.removeItem(SIGNED_OUT);
  if (!stay) return signIn();
  setState({ is: "signedOut", signIn, ...(outcome.problem === undefined ? {} : { problem: outcome.problem }) });
}

function admit(api: Api, setState: (state: State) => void, settings: Settings, pool: SignIn, person: Person): void {
  const signOut = () => {
    sessionStorage.setItem(SIGNED_OUT, "yes");
    setState({ is: "leaving" });
    void pool.signOut();
  };
  if (!person.isScheduler) return setState({ is: "notAllowed", person, signOut });
  api.token = () =>
    pool.token().catch(() => {
      throw unreachable("The sign-in could not be renewed.");
    });
  api.onSignedOut = () => {
    void pool.forget();
    setState({ is: "signedOut", signIn: () => void leave(pool, setState), problem: "You have been signed out." });
  };
  setState({ is: "open", session: { settings, person, signOut } });
}

async function leave(pool: SignIn, setState: (state: State) => void): Promise<void> {
  setState({ is: "leaving" });
  await pool.leave();
}

function wordsFor(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? error.message : String(error);
}

function Notice({ state, again }: { state: Exclude<State, { is: "open" }>; again: () => void }) {
  if (state.is === "waiting" || state.is === "leaving") {
    return (
      <main class="gate" aria-busy="true">
        <p>{state.is === "waiting" ? "Opening the desk…" : "Going to the sign-in…"}</p>
      </main>
    );
  }
  return (
    <main class="gate">
      <h1>Desk</h1>
      <Why state={state} again={again} />
    </main>
  );
}

type Told = Exclude<State, { is: "open" | "waiting" | "leaving" }>;

function Why({ state, again }: { state: Told; again: () => void }) {
  switch (state.is) {
    case "signedOut":
      return (
        <>
          <p role="status">{state.problem ?? "You are signed out."}</p>
          <button type="button" onClick={state.signIn}>
            Sign in
          </button>
        </>
      );
    case "notAllowed":
      return (
        <>
          <p role="alert">
            You are signed in as <strong>{state.person.name}</strong>, who may not work at the desk.
          </p>
          <p>Whoever administers the user pool can add you to its group “schedulers”. Then sign in again.</p>
          <button type="button" onClick={state.signOut}>
            Sign out
          </button>
        </>
      );
    case "closed":
      return (
        <>
          <p role="alert">Nobody can sign in to this desk yet.</p>
          {state.auth === "iam" ? (
            <p>
              The API takes requests that are signed by IAM (<code>Auth=iam</code>), which a browser does not do. Deploy the stack
              with <code>Auth=cognito</code>, <code>UserPoolDomain</code> and <code>LinkBase</code>.
            </p>
          ) : (
            <p>
              The user pool has no sign-in page. Deploy the stack with <code>UserPoolDomain</code> and <code>LinkBase</code>.
            </p>
          )}
        </>
      );
    case "failed":
      return (
        <>
          <p role="alert">The desk cannot be opened. {state.problem}</p>
          <button type="button" onClick={again}>
            Try again
          </button>
        </>
      );
  }
}
