/**
 * Asks the API that serves this page.
 *
 * Addresses are relative to the page's own, so they hold below a stage such as /prod and at the root of a domain of one's
 * own. A refusal becomes an ApiError with the problem that the API answered (RFC 9457); no answer at all one with status 0.
 */

export interface Fault {
  field: string;
  message: string;
}

export interface Interval {
  startTime: string;
  endTime: string;
}

/** The body of every refusal. What belongs to one type of problem only is optional. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  requestId?: string;
  errors?: Fault[];
  conflicts?: (Interval & { calendarId: string })[];
  alternatives?: Interval[];
  allowed?: string[];
  until?: string;
}

export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    /** In seconds, where the API says when to ask again. */
    readonly retryAfter?: number,
  ) {
    super(problem.detail ?? problem.title);
    this.name = "ApiError";
  }

  get status(): number {
    return this.problem.status;
  }

  /** Such as `conflict`: what comes after the # in the problem's type. */
  get slug(): string {
    return this.problem.type.slice(this.problem.type.indexOf("#") + 1);
  }

  /** Nobody answered: there is no network, or the answer was no answer of the API. */
  get unreachable(): boolean {
    return this.status === 0;
  }
}

export function unreachable(detail: string): ApiError {
  return new ApiError({ type: "#unreachable", title: "No answer", status: 0, detail });
}

export interface Answer<T> {
  status: number;
  /** `undefined` with 304 and 204. */
  body: T;
  /** As it is to be sent as `If-Match` or `If-None-Match`. */
  etag: string | undefined;
}

type Value = string | number | boolean | undefined | readonly string[];

export interface Asking {
  query?: Record<string, Value>;
  body?: unknown;
  ifMatch?: string;
  ifNoneMatch?: string;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** What a token is taken from before each request; `undefined` sends none. */
export type TokenSource = () => Promise<string | undefined> | string | undefined;

/** The address that all of the API's lie below: of https://x.example/prod/desk it is https://x.example/prod/. */
export function baseOf(page: string): URL {
  return new URL(".", page);
}

export class Api {
  /** Set by whoever signs in. */
  token: TokenSource = () => undefined;
  /** Called when the API does not know who asks, such as when the token has run out. */
  onSignedOut: () => void = () => undefined;

  constructor(readonly base: URL = baseOf(location.href)) {}

  /** `path` has no slash at its beginning. Encode what is not fixed in it: `calendars/${encodeURIComponent(id)}`. */
  url(path: string, query: Record<string, Value> = {}): URL {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, Array.isArray(value) ? value.join(",") : String(value));
    }
    return url;
  }

  /** Raises ApiError, except for 304, which is answered. */
  async ask<T>(method: string, path: string, asking: Asking = {}): Promise<Answer<T>> {
    const headers = new Headers({ Accept: "application/json" });
    const token = await this.token();
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    if (asking.ifMatch !== undefined) headers.set("If-Match", asking.ifMatch);
    if (asking.ifNoneMatch !== undefined) headers.set("If-None-Match", asking.ifNoneMatch);
    if (asking.idempotencyKey !== undefined) headers.set("Idempotency-Key", asking.idempotencyKey);
    const init: RequestInit = { method, headers, cache: "no-store", credentials: "omit" };
    if (asking.signal !== undefined) init.signal = asking.signal;
    if (asking.body !== undefined) {
      headers.set("Content-Type", "application/json");
      init.body = JSON.stringify(asking.body);
    }
    const response = await reach(this.url(path, asking.query), init);
    if (response.status === 401) this.onSignedOut();
    if (!response.ok && response.status !== 304) throw await refusal(response);
    return {
      status: response.status,
      body: (response.status === 204 || response.status === 304 ? undefined : await json(response)) as T,
      etag: response.headers.get("ETag") ?? undefined,
    };
  }

  async get<T>(path: string, query: Record<string, Value> = {}, asking: Asking = {}): Promise<T> {
    return (await this.ask<T>("GET", path, { ...asking, query })).body;
  }

  async post<T>(path: string, body: unknown, asking: Asking = {}): Promise<T> {
    return (await this.ask<T>("POST", path, { ...asking, body })).body;
  }

  async patch<T>(path: string, body: unknown, asking: Asking = {}): Promise<T> {
    return (await this.ask<T>("PATCH", path, { ...asking, body })).body;
  }

  async put<T>(path: string, body: unknown, asking: Asking = {}): Promise<T> {
    return (await this.ask<T>("PUT", path, { ...asking, body })).body;
  }

  async delete<T>(path: string, asking: Asking = {}): Promise<T> {
    return (await this.ask<T>("DELETE", path, asking)).body;
  }
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable("The server could not be reached.");
  }
}

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    throw unreachable("The answer was cut off.");
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const plain: Problem = { type: "#", title: response.statusText || "Refused", status: response.status };
  const sent: unknown = await response.json().catch(() => undefined);
  const known = typeof sent === "object" && sent !== null && "type" in sent && typeof sent.type === "string";
  const problem = known ? { ...plain, ...(sent as Partial<Problem>), status: response.status } : plain;
  return new ApiError(problem, Number.isFinite(seconds) ? seconds : undefined);
}
