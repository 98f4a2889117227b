import { invalid } from "./errors.ts";

/**
 * Checks of request fields that both services share. Each takes the field's path in the request
 * as the proto names it, and throws INVALID_PARAMS naming it.
 */

/** google.protobuf.Duration. */
interface Duration {
  readonly seconds: bigint;
  readonly nanos: number;
}

const LONGEST_DURATION_MS = 3_650 * 24 * 3_600 * 1_000;
const DEFAULT_PAGE_SIZE = 100;
const LARGEST_PAGE_SIZE = 1_000;

/** A text of at most `maxBytes` of UTF-8. */
export function textOf(field: string, value: string, maxBytes: number): string {
  if (Buffer.byteLength(value) > maxBytes) throw invalid(field, `is longer than ${maxBytes} bytes`);
  return value;
}

/** Whole milliseconds, 0 to 3,650 days; a part of one counts as one. undefined: not set. */
export function durationMs(field: string, value: Duration | undefined): number | undefined {
  if (value === undefined) return undefined;
  const { seconds, nanos } = value;
  if (seconds < 0n || nanos < 0) throw invalid(field, "must not be negative");
  if (nanos > 999_999_999) throw invalid(field, "has more than 999,999,999 nanoseconds");
  const ms = Number(seconds) * 1_000 + Math.ceil(nanos / 1e6);
  if (ms > LONGEST_DURATION_MS) throw invalid(field, "must be at most 3650 days");
  return ms;
}

/** As `durationMs`, but 0 is refused. */
export function positiveDurationMs(field: string, value: Duration | undefined): number | undefined {
  const ms = durationMs(field, value);
  if (ms === 0) throw invalid(field, "must be more than 0");
  return ms;
}

/** Rows of a page: 0 is 100. */
export function pageSize(field: string, value: number): number {
  if (value < 0) throw invalid(field, "must not be negative");
  if (value > LARGEST_PAGE_SIZE) throw invalid(field, `must be at most ${LARGEST_PAGE_SIZE}`);
  return value === 0 ? DEFAULT_PAGE_SIZE : value;
}

/** The opaque token of the next page. `after` is the last entry of this one. */
export function pageToken(after: string | number): string {
  return Buffer.from(JSON.stringify(after)).toString("base64url");
}

/** The last entry of the page before, from its token; undefined for an empty token. */
export function pageStart(field: string, token: string): string | number | undefined {
  if (token === "") return undefined;
  try {
    const after: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (typeof after === "string" || Number.isSafeInteger(after)) return after as string | number;
  } catch {
    // It is no token of Usher's, as below.
  }
  throw invalid(field, "is not a token that a page has returned");
}
