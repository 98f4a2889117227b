import { Code, ConnectError } from "@connectrpc/connect";
import { invalid, type UsherError } from "../../base/errors.ts";
import { internalError } from "../error-status.ts";
import { tooLarge, WHOLE_MESSAGE } from "../request-errors.ts";

/** A status that grpc-js sets by itself. */
interface WireStatus {
  readonly code?: number | undefined;
  readonly details?: string | undefined;
}

/**
 * The error behind a status that grpc-js set by itself. Its INTERNAL and RESOURCE_EXHAUSTED are
 * faults of the request when they have these messages. `maxBytes` is the limit of a request.
 */
export function translateStatus(
  { code, details = "" }: WireStatus,
  maxBytes: number,
): UsherError | ConnectError {
  switch (code) {
    case Code.DeadlineExceeded:
      return new ConnectError("the deadline is over", Code.DeadlineExceeded);
    case Code.ResourceExhausted:
      if (/^Received message (larger|that decompresses)/.test(details)) return tooLarge(maxBytes);
      break;
    case Code.Internal:
      if (details.startsWith("Failed to decompress")) {
        return invalid(WHOLE_MESSAGE, "cannot be decompressed");
      }
      if (details.startsWith("Invalid grpc-timeout")) {
        return invalid("grpc-timeout", "a header of up to 8 digits and one of H, M, S, m, u, n");
      }
      break;
    case Code.Unimplemented:
      return new ConnectError(details, Code.Unimplemented);
  }
  return internalError(details);
}
