/**
 * Signs people in at the stack's user pool, by the code flow with PKCE. Loaded only where the stack asks for it.
 *
 * Tokens lie in this tab's session storage, and nowhere else. The ID token is what the API asks for; it is renewed before it
 * runs out, for as long as the pool allows.
 */

import { ErrorResponse, UserManager, WebStorageStateStore, type User } from "oidc-client-ts";
import type { Settings } from "./types";

/** What is left of a token when it is renewed, in seconds. */
const RENEWED_BEFORE = 90;
const SCHEDULERS = "schedulers";

export interface Person {
  /** As the pool knows them: their email address, or else their id. */
  name: string;
  /** Whether they act for everyone, which the desk needs. */
  isScheduler: boolean;
}

/** What came of a visit: somebody is signed in, or nobody is, for a reason to be shown, if there is one. */
export type Outcome = { person: Person } | { person?: undefined; problem?: string };

export class SignIn {
  private readonly manager: UserManager;
  private renewing: Promise<User | null> | undefined;

  constructor(
    private readonly settings: NonNullable<Settings["signIn"]>,
    /** The address of the page, which the pool sends people back to. */
    private readonly page: string = location.origin + location.pathname,
  ) {
    const { domain, clientId } = settings;
    const store = () => new WebStorageStateStore({ store: sessionStorage });
    this.manager = new UserManager({
      authority: domain,
      // Known beforehand, so that nothing is asked for.
      metadata: {
        issuer: domain,
        authorization_endpoint: `${domain}/oauth2/authorize`,
        token_endpoint: `${domain}/oauth2/token`,
        revocation_endpoint: `${domain}/oauth2/revoke`,
      },
      client_id: clientId,
      redirect_uri: page,
      response_type: "code",
      scope: "openid",
      userStore: store(),
      stateStore: store(),
      automaticSilentRenew: false, // `token` does it when somebody asks: timers of sleeping machines are late
      revokeTokenTypes: ["refresh_token"], // Cognito revokes what it made of it as well
    });
  }

  /** Finish a sign-in, if the pool has just sent somebody back; else who is signed in already. */
  async resume(): Promise<Outcome> {
    const query = new URLSearchParams(location.search);
    if (query.has("state") && (query.has("code") || query.has("error"))) return this.finish();
    const user = await this.fresh();
    return user ? { person: personOf(user) } : {};
  }

  /** Leave for the pool's page. It sends people back to where they are now. */
  async leave(): Promise<void> {
    await this.manager.signinRedirect({ state: location.search + location.hash });
  }

  /** A token that the API takes now; `undefined` if the person has to sign in again. It fails if nobody answers. */
  async token(): Promise<string | undefined> {
    return (await this.fresh())?.id_token;
  }

  /** Forget the tokens here, make them useless, and end the session at the pool, which sends people back to the page. */
  async signOut(): Promise<void> {
    await this.manager.revokeTokens().catch(() => undefined); // they run out by themselves
    await this.manager.removeUser();
    const { domain, clientId } = this.settings;
    location.assign(`${domain}/logout?${new URLSearchParams({ client_id: clientId, logout_uri: this.page })}`);
  }

  /** Forget the tokens here, such as when the API refuses them. */
  async forget(): Promise<void> {
    await this.manager.removeUser();
  }

  private async finish(): Promise<Outcome> {
    let user: User | undefined;
    let problem = "The sign-in was not finished.";
    try {
      user = await this.manager.signinRedirectCallback();
    } catch (error) {
      // What the pool says of it. Else this tab did not begin the sign-in, as with a bookmark of its address.
      if (error instanceof ErrorResponse) problem += ` ${error.error_description ?? ""}`;
    }
    const before = typeof user?.state === "string" ? user.state : "";
    history.replaceState(null, "", this.page + before); // a code is good once, and no business of the address bar
    return user ? { person: personOf(user) } : { problem };
  }

  private async fresh(): Promise<User | null> {
    const user = await this.manager.getUser();
    if (!user || (user.expires_in ?? 0) > RENEWED_BEFORE) return user;
    // Once for all who ask meanwhile.
    this.renewing ??= this.renewed(user).finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async renewed(user: User): Promise<User | null> {
    if (user.refresh_token === undefined) return user.expired ? null : user;
    try {
      return await this.manager.signinSilent();
    } catch (error) {
      if (!user.expired) return user;
      if (error instanceof ErrorResponse) return null; // the pool does not renew it any more
      throw error; // nobody answered
    }
  }
}

function personOf({ profile }: User): Person {
  const groups: unknown = profile["cognito:groups"];
  return { name: profile.email ?? profile.sub, isScheduler: Array.isArray(groups) && groups.includes(SCHEDULERS) };
}
