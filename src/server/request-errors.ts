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

/** What a decoder threw over a request, as INVALID_PARAMS that names the field if it can be told. */
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
 * What Connect threw over a request before any handler of ours saw it, with the reason that it
 * lacks; undefined if it is not about the request. `maxBytes` is the limit of a request.
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

// How protobuf-es words what it cannot decode, and what of it is the field.
const decoderMessages: readonly (readonly [RegExp, (rest: string) => string])[] = [
  [/^cannot decode field \S+\.(\w+) from JSON: (.*)$/s, (rest) => rest],
  [/^cannot decode oneof \S+\.(\w+) from JSON: (.*)$/s, (rest) => rest],
  [/^cannot decode message \S+ from JSON: key "(.*)" is unknown$/s, () => "unknown field"],
  [/^cannot decode message \S+ from JSON: duplicate object key "(.*)"$/s, () => "set twice"],
];

// Connect calls these INTERNAL, though it is the request that is wrong.
const internalFaults = [
  "parse binary:",
  "decompression failed",
  "received compressed envelope, but do not know how to decompress",
];

function plainMessage(error: Error): string {
  const text = error instanceof ConnectError ? error.rawMessage : error.message;
  return text.replace(/^(parse binary|protocol error): /, "");
}
