import { Code, ConnectError } from "@connectrpc/connect";
import { invalid, UsherError } from "../base/errors.ts";

/** Stands for the request as a whole where no field of it can be named. */
export const WHOLE_MESSAGE = "(message)";

/** The request is larger than the server takes; `limit` in bytes. */
export function tooLarge(limit: number): UsherError {
  const description = `larger than queue.max_request_size, ${limit} bytes`;
  return new UsherError("PAYLOAD_TOO_LARGE", {
    message: `the request is ${description}`,
    violations: [{ field: WHOLE_MESSAGE, description }],
  });
}

/** The error of a request that a decoder refused: INVALID_PARAMS, with the field if it is known. */
export function undecodable(error: unknown): UsherError {
  const text = error instanceof Error ? plainMessage(error) : "cannot be decoded";
  if (text.startsWith("invalid connect timeout")) return invalid("connect-timeout-ms", text);
  if (text.startsWith("invalid grpc timeout")) return invalid("grpc-timeout", text);
  for (const [pattern, describe] of decoderMessages) {
    const [, field, rest] = pattern.exec(text) ?? [];
    if (field !== undefined) return invalid(field, describe(rest ?? ""));
  }
  return invalid(WHOLE_MESSAGE, text);
}

/**
 * The error of a request that Connect refused before a handler saw it, with a reason. Undefined if
 * the error is not about the request. `maxBytes` is the limit of a request.
 */
export function requestFault(error: ConnectError, maxBytes: number): UsherError | undefined {
  switch (error.code) {
    case Code.InvalidArgument:
      return undecodable(error);
    case Code.Unimplemented:
      return /^protocol error: (missing|received extra) input message/.test(error.rawMessage)
        ? undecodable(error)
        : undefined;
    case Code.ResourceExhausted:
      return tooLarge(maxBytes);
    case Code.Internal:
      return internalFaults.some((start) => error.rawMessage.startsWith(start))
        ? undecodable(error)
        : undefined;
    default:
      return undefined;
  }
}

// Messages of protobuf-es about what it cannot decode, each with the part that names the field.
const decoderMessages: readonly (readonly [RegExp, (rest: string) => string])[] = [
  [/^cannot decode field \S+\.(\w+) from JSON: (.*)$/s, (rest) => rest],
  [/^cannot decode oneof \S+\.(\w+) from JSON: (.*)$/s, (rest) => rest],
  [/^cannot decode message \S+ from JSON: key "(.*)" is unknown$/s, () => "unknown field"],
  [/^cannot decode message \S+ from JSON: duplicate object key "(.*)"$/s, () => "set twice"],
];

// Connect calls these INTERNAL, though the request is wrong.
const internalFaults = [
  "parse binary:",
  "decompression failed",
  "received compressed envelope, but do not know how to decompress",
];

function plainMessage(error: Error): string {
  const text = error instanceof ConnectError ? error.rawMessage : error.message;
  return text.replace(/^(parse binary|protocol error): /, "");
}
