import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { type Reason, UsherError } from "../base/errors.ts";

/** The status of every reason; the tables of both services' contracts in one. */
export const codes: Readonly<Record<Reason, Code>> = {
  INVALID_PARAMS: Code.InvalidArgument,
  PAYLOAD_TOO_LARGE: Code.InvalidArgument,
  SHUTTING_DOWN: Code.Unavailable,
  STORAGE_UNAVAILABLE: Code.Unavailable,
  STORAGE_FULL: Code.ResourceExhausted,
  MEMORY_FULL: Code.ResourceExhausted,
  SHARD_UNAVAILABLE: Code.Unavailable,
  NOT_OWNER: Code.Unavailable,
  HOST_NOT_ALLOWED: Code.PermissionDenied,
  ORIGIN_NOT_ALLOWED: Code.PermissionDenied,
  TUBE_NOT_FOUND: Code.NotFound,
  TASK_NOT_FOUND: Code.NotFound,
  SESSION_NOT_FOUND: Code.NotFound,
  TUBE_ALREADY_EXISTS: Code.AlreadyExists,
  TUBE_IN_USE: Code.FailedPrecondition,
  TASK_NOT_BURIABLE: Code.FailedPrecondition,
  LEASE_LOST: Code.FailedPrecondition,
  TUBE_FULL: Code.ResourceExhausted,
  WEAK_PASSWORD: Code.InvalidArgument,
  WRONG_PROVIDER: Code.InvalidArgument,
  USER_NOT_FOUND: Code.NotFound,
  USER_ALREADY_EXISTS: Code.AlreadyExists,
  SOCIAL_ACCOUNT_IN_USE: Code.AlreadyExists,
  USER_NOT_ACTIVE: Code.FailedPrecondition,
  USER_ALREADY_ACTIVE: Code.FailedPrecondition,
  IMPROPERLY_CONFIGURED: Code.FailedPrecondition,
  LAST_SIGN_IN_METHOD: Code.FailedPrecondition,
  NOT_AUTHENTICATED: Code.Unauthenticated,
  WRONG_SESSION_SIGN: Code.Unauthenticated,
  WRONG_PASSWORD: Code.Unauthenticated,
  WRONG_ACTIVATION_CODE: Code.Unauthenticated,
  WRONG_RESTORE_TOKEN: Code.Unauthenticated,
  WRONG_AUTH_CODE: Code.Unauthenticated,
  WRONG_STATE: Code.Unauthenticated,
  OVERLOADED: Code.ResourceExhausted,
  TOO_MANY_ATTEMPTS: Code.ResourceExhausted,
  SOCIAL_AUTH_ERROR: Code.Unavailable,
};

/** The domain of every google.rpc.ErrorInfo. */
const errorDomain = "usher";

const DEFAULT_RETRY_MS = 1000;

// Errors travel in headers, which clients limit to about 8 KiB. A message may repeat what the
// caller sent, such as the name of an unknown field, so such parts are cut.
const LONGEST_MESSAGE = 500;
const LONGEST_DESCRIPTION = 300;
const LONGEST_FIELD = 100;
const MOST_VIOLATIONS = 10;

/**
 * The error as a caller may see it. An UsherError keeps its message and gets the status and details
 * of its reason. An aborted call becomes CANCELED, a late one DEADLINE_EXCEEDED. UNIMPLEMENTED
 * stays. Anything else is INTERNAL and tells nothing.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof UsherError) return fromUsherError(error);
  if (error instanceof ConnectError) {
    return mayPass(error.code) ? error : internalError(error);
  }
  if (error instanceof Error) {
    if (error.name === "AbortError")
      return new ConnectError("the call was cancelled", Code.Canceled);
    if (error.name === "TimeoutError") {
      return new ConnectError("the deadline is over", Code.DeadlineExceeded);
    }
  }
  return internalError(error);
}

/** INTERNAL. The cause is for the log alone. */
export function internalError(cause: unknown): ConnectError {
  return new ConnectError("internal error", Code.Internal, undefined, undefined, cause);
}

/** Whether the error carries a reason of ours already. */
export function hasReason(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema).some((info) => info.domain === errorDomain);
}

function mayPass(code: Code): boolean {
  return code === Code.Canceled || code === Code.DeadlineExceeded || code === Code.Unimplemented;
}

function fromUsherError(error: UsherError): ConnectError {
  const { reason, cause } = error;
  const code = codes[reason];
  const details: ConnectError["details"] = [
    { desc: ErrorInfoSchema, value: { reason, domain: errorDomain } },
  ];
  if (code === Code.InvalidArgument && error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, MOST_VIOLATIONS).map((violation) => ({
      field: cut(violation.field, LONGEST_FIELD),
      description: cut(violation.description, LONGEST_DESCRIPTION),
    }));
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  const retryMs = error.retryAfterMs ?? defaultRetryMs(reason);
  if (retryMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryMs) } });
  }
  const plain = new ConnectError(cut(error.message, LONGEST_MESSAGE), code);
  plain.details = details;
  plain.cause = cause;
  return plain;
}

function defaultRetryMs(reason: Reason): number | undefined {
  const again =
    codes[reason] === Code.Unavailable ||
    reason === "TOO_MANY_ATTEMPTS" ||
    reason === "STORAGE_FULL";
  return again ? DEFAULT_RETRY_MS : undefined;
}

/** At most `length` UTF-16 units, and well-formed: a lone surrogate cannot be percent-encoded. */
function cut(text: string, length: number): string {
  const short = text.length > length ? `${text.slice(0, length - 1)}\u2026` : text;
  return short.toWellFormed();
}
