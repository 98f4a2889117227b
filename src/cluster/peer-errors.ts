import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { type Reason, reasons, UsherError } from "../base/errors.ts";

/** The error of another instance, as this one would have failed itself. */
export function fromPeer(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const shown = ConnectError.from(error);
  const reason = reasonOf(shown);
  if (reason !== undefined) {
    const retryDelay = shown.findDetails(RetryInfoSchema)[0]?.retryDelay;
    // An instance that stops has done nothing, and another will have its shards.
    return new UsherError(reason === "SHUTTING_DOWN" ? "NOT_OWNER" : reason, {
      message: shown.rawMessage,
      violations: shown.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [],
      ...(retryDelay && { retryAfterMs: durationMs(retryDelay) }),
    });
  }
  // An internal error names its line in the other instance's log.
  if (brokenOff.has(shown.code) && !shown.metadata.has("x-request-id")) {
    return new UsherError("SHARD_UNAVAILABLE", {
      message: "the instance that has the tube did not answer; it may have done what was asked",
      cause: shown,
    });
  }
  return shown;
}

/** The codes that Connect gives to connections that break before a status has come. */
const brokenOff: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
]);

function reasonOf(error: ConnectError): Reason | undefined {
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason;
  return reason !== undefined && Object.hasOwn(reasons, reason) ? (reason as Reason) : undefined;
}
