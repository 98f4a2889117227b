import { Agent, request } from "undici";
import type { Log } from "../log.ts";

/** A JSON object as it came, not yet looked at. Whole numbers past 2^53 are strings, to the digit. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a provider answered. An answer of any status that is a JSON object is `ok`. */
type ProviderAnswer =
  | { readonly ok: true; readonly status: number; readonly body: JsonObject }
  | { readonly ok: false };

/** The one way to a provider. */
export interface ProviderHttp {
  /**
   * Fetches a JSON object by GET. Never throws: a connection that fails, a time-out, a redirect,
   * too large an answer and one that is no JSON object are logged and answered with `ok: false`.
   */
  getJson(url: URL, limits: RequestLimits): Promise<ProviderAnswer>;
  /** Ends what is under way and closes the connections. */
  close(): Promise<void>;
}

interface RequestLimits {
  /** Milliseconds from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Gives the request up earlier. */
  readonly signal?: AbortSignal | undefined;
}

const LARGEST_ANSWER_BYTES = 1024 * 1024;

/** Why a request has no answer, in words for the log. */
class UnusableAnswer extends Error {}

/** Makes the HTTP client for providers, with connections of its own. */
export function createProviderHttp(log: Log): ProviderHttp {
  // HTTP/1.1 only, since undici keeps to the size limit there alone.
  const agent = new Agent({ maxResponseSize: LARGEST_ANSWER_BYTES, allowH2: false });
  return {
    async getJson(url, { timeoutMs, signal }) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
      let status: number | undefined;
      try {
        const response = await request(url, {
          dispatcher: agent,
          signal: either,
          headers: { accept: "application/json" },
        });
        status = response.statusCode;
        const text = await response.body.text();
        if (status >= 300 && status < 400) throw new UnusableAnswer("a redirect");
        return { ok: true, status, body: parseObject(text) };
      } catch (error) {
        const problem = timeout.aborted ? `no answer in ${timeoutMs} ms` : problemOf(error);
        // The query holds secrets, and so may the provider's own words.
        const place = url.origin + url.pathname;
        log.warn({ url: place, status, problem }, "a provider's answer is of no use");
        return { ok: false };
      }
    },
    close: () => agent.destroy(),
  };
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
