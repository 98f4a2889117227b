import { Agent, request } from "undici";
import type { Log } from "../../logging/log.ts";

/** A JSON object as it came, not yet looked at. Whole numbers past 2^53 are strings, to the digit. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Names and values of a query or a form. */
export type Parameters = Readonly<Record<string, string>>;

/** What a provider answered. An answer of any status that is a JSON object is `ok`. */
export type ProviderAnswer =
  | { readonly ok: true; readonly status: number; readonly body: JsonObject }
  | { readonly ok: false };

/** The one way to a provider. */
export interface ProviderHttp {
  /**
   * Fetches a JSON object. Never throws: a connection that fails, a time-out, a redirect, too
   * large an answer and one that is no JSON object are logged and answered with `ok: false`.
   */
  fetchJson(request: ProviderRequest, limits: RequestLimits): Promise<ProviderAnswer>;
  /**
   * A `fetch` for libraries that bring their own requests. Logs the same faults, those of JSON
   * aside, and rejects.
   */
  fetchFor(limits: RequestLimits): LibraryFetch;
  /** Ends what is under way and closes the connections. */
  close(): Promise<void>;
}

export interface ProviderRequest {
  /** GET has the parameters in the query, POST as a form. */
  readonly method: "GET" | "POST";
  /** Without the parameters. */
  readonly url: string;
  /** Empty ones are left out. */
  readonly parameters: Parameters;
  /** A token for the Authorization header. */
  readonly bearer?: string | undefined;
}

export interface RequestLimits {
  /** The provider that is asked, for the log. */
  readonly provider: string;
  /** Milliseconds from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Gives the request up earlier. */
  readonly signal?: AbortSignal | undefined;
}

export type LibraryFetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Text, or something that becomes text, such as URLSearchParams. */
    readonly body?: unknown;
  },
) => Promise<Response>;

const LARGEST_ANSWER_BYTES = 1024 * 1024;

/** Why a request has no answer, in words for the log. */
class UnusableAnswer extends Error {}

interface RawRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface RawAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Makes the HTTP client for providers, with connections of its own. */
export function createProviderHttp(log: Log): ProviderHttp {
  // HTTP/1.1 only, since undici keeps to the size limit there alone.
  const agent = new Agent({ maxResponseSize: LARGEST_ANSWER_BYTES, allowH2: false });

  async function send<T>(
    { method, url, headers, body }: RawRequest,
    { provider, timeoutMs, signal }: RequestLimits,
    read: (answer: RawAnswer) => T,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
    let status: number | undefined;
    try {
      const options = { dispatcher: agent, signal: either, method, headers };
      const response = await request(url, { ...options, body: body ?? null });
      status = response.statusCode;
      const text = await response.body.text();
      if (status >= 300 && status < 400) throw new UnusableAnswer("a redirect");
      const contentType = String(response.headers["content-type"] ?? "");
      return read({ status, contentType, text });
    } catch (error) {
      const problem = timeout.aborted ? `no answer in ${timeoutMs} ms` : problemOf(error);
      // The query holds secrets, and so may the provider's own words.
      const place = url.origin + url.pathname;
      log.warn({ provider, url: place, status, problem }, "a provider's answer is of no use");
      throw error;
    }
  }

  return {
    async fetchJson(asked, limits) {
      try {
        return await send(toRaw(asked), limits, ({ status, text }) => {
          return { ok: true, status, body: parseObject(text) } as const;
        });
      } catch {
        return { ok: false };
      }
    },
    fetchFor: (limits) => (url, init) =>
      send(
        { ...init, url: new URL(url), body: init.body == null ? undefined : String(init.body) },
        limits,
        ({ status, contentType, text }) =>
          new Response(text || null, { status, headers: { "content-type": contentType } }),
      ),
    close: () => agent.destroy(),
  };
}

/** The URL of a GET with these parameters, those that are empty left out. */
export function withQuery(base: string, parameters: Parameters): URL {
  const url = new URL(base);
  for (const [name, value] of given(parameters)) url.searchParams.set(name, value);
  return url;
}

function toRaw({ method, url, parameters, bearer }: ProviderRequest): RawRequest {
  const headers = {
    accept: "application/json",
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  };
  if (method === "GET")
    return { method, url: withQuery(url, parameters), headers, body: undefined };
  return {
    method,
    url: new URL(url),
    headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(given(parameters)).toString(),
  };
}

function given(parameters: Parameters): [name: string, value: string][] {
  return Object.entries(parameters).filter(([, value]) => value !== "");
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
  } catch {
    throw new UnusableAnswer("not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnusableAnswer("not a JSON object");
  }
  return value as JsonObject;
}

/**
 * Ids may come as bare numbers that a double cannot hold. The third argument is ECMAScript's
 * "JSON.parse source text access", which the compiler's own types do not have yet.
 */
function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  const { source } = context;
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined)
    return value;
  return /^\d+$/.test(source) ? source : value;
}

/** The error's code or name, never its message, which may quote what was sent or received. */
function problemOf(error: unknown): string {
  if (error instanceof UnusableAnswer) return error.message;
  if (!(error instanceof Error)) return "an unknown error";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
