import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** The name of a gRPC status, such as `NOT_FOUND`. */
export type StatusCode = keyof typeof status;

/** One faulty field: its path in the request as the proto names it, and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface UsherClientErrorOptions {
  readonly violations?: readonly FieldViolation[];
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Why the client itself, not the server, fails a call. */
export type ClientReason =
  /** The connection broke before the answer came: it may have been carried out, or not. */
  | "UNANSWERED"
  /** There was no connection to send it on in time: nothing was done. */
  | "NOT_SENT"
  /** Too many puts wait for their answers: nothing was done. */
  | "TOO_MANY_PENDING"
  /** The client, producer or worker was closed: nothing was done. */
  | "CLOSED";

/** The error of every call of this library. */
export class UsherClientError extends Error {
  /** The gRPC status. */
  readonly code: StatusCode;
  /**
   * The reason that the server gives, such as `TUBE_NOT_FOUND` (the proto files list them at each
   * RPC), or a `ClientReason`. Empty: none was given, as for a deadline or a refused connection.
   */
  readonly reason: string;
  /** The faulty fields; empty unless the code is INVALID_ARGUMENT. */
  readonly violations: readonly FieldViolation[];
  /** When the server suggests to try again, in milliseconds from then. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: StatusCode,
    reason: string,
    message: string,
    options: UsherClientErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UsherClientError";
    this.code = code;
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Thrown by a handler: the task cannot succeed as it is and is set aside until it is kicked. */
export class BuryTask extends Error {
  /** `reason` is shown as the task's `reason`. */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "BuryTask";
  }
}

/** Thrown by a handler: the task goes back. Any other error does the same, without a delay. */
export class ReleaseTask extends Error {
  /** Milliseconds; undefined: the tube's `retry_backoff`, else none. */
  readonly delayMs: number | undefined;

  /**
   * `reason` is shown as the task's `reason`. `delayMs` is how long the task waits before it can
   * be taken again; 0 is not at all. Tubes of kind FIFO and UTUBE have no delays: there the task
   * is ready at once.
   */
  constructor(reason: string, options: ErrorOptions & { delayMs?: number | undefined } = {}) {
    super(reason, options);
    this.name = "ReleaseTask";
    const { delayMs } = options;
    this.delayMs = delayMs === undefined ? undefined : wholeMs("delayMs", delayMs);
  }
}

/** The statuses of reasons that come without one: in the answers of streams and batches. */
const codes: Readonly<Record<string, StatusCode>> = {
  INVALID_PARAMS: "INVALID_ARGUMENT",
  PAYLOAD_TOO_LARGE: "INVALID_ARGUMENT",
  TUBE_NOT_FOUND: "NOT_FOUND",
  TUBE_FULL: "RESOURCE_EXHAUSTED",
  LEASE_LOST: "FAILED_PRECONDITION",
  SHUTTING_DOWN: "UNAVAILABLE",
  STORAGE_UNAVAILABLE: "UNAVAILABLE",
  STORAGE_FULL: "RESOURCE_EXHAUSTED",
  MEMORY_FULL: "RESOURCE_EXHAUSTED",
  SHARD_UNAVAILABLE: "UNAVAILABLE",
};

/** The error of one refused batch or lease inside an answer. */
export function refusal({ reason, message }: { reason: string; message: string }) {
  return new UsherClientError(codes[reason] ?? "UNKNOWN", reason, message || reason);
}

/** INVALID_PARAMS, found before anything was sent. */
export function invalid(field: string, description: string): UsherClientError {
  return new UsherClientError("INVALID_ARGUMENT", "INVALID_PARAMS", `${field}: ${description}`, {
    violations: [{ field, description }],
  });
}

/** A duration in whole milliseconds, rounded up. Throws INVALID_PARAMS below 0 and beyond 2^53. */
export function wholeMs(field: string, ms: number): number {
  if (ms >= 0 && ms <= Number.MAX_SAFE_INTEGER) return Math.ceil(ms);
  throw invalid(field, "must be a number of milliseconds, 0 or more");
}

/** CLOSED; `what` is the client, the producer or the worker. */
export function closed(what: string): UsherClientError {
  return new UsherClientError("CANCELLED", "CLOSED", `${what} is closed`);
}

/** A failed call with the details that the server attached. */
export function fromServiceError(error: ServiceError): UsherClientError {
  const code = (status[error.code] ?? "UNKNOWN") as StatusCode;
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  let reason = "";
  let violations: FieldViolation[] = [];
  let retryAfterMs: number | undefined;
  for (const detail of bytes instanceof Uint8Array ? detailsOf(bytes) : []) {
    reason = anyUnpack(detail, ErrorInfoSchema)?.reason ?? reason;
    const badRequest = anyUnpack(detail, BadRequestSchema);
    if (badRequest !== undefined) {
      violations = badRequest.fieldViolations.map(({ field, description }) => {
        return { field, description };
      });
    }
    const delay = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
    if (delay !== undefined) retryAfterMs = Number(delay.seconds) * 1_000 + delay.nanos / 1e6;
  }
  const message = error.details || error.message;
  return new UsherClientError(code, reason, message, { violations, retryAfterMs, cause: error });
}

function detailsOf(bytes: Uint8Array) {
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    // Something between here and the server has made up these details. The status still holds.
    return [];
  }
}
