import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import type { Http2SessionManager } from "@connectrpc/connect-node";
import { webHeaders } from "../wire/headers.ts";

interface CallOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The prefix of a gRPC message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
/** The largest time-out of gRPC: 8 digits. */
const MOST_MILLISECONDS = 99_999_999;
/** The longest time of a Node timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * One unary gRPC call over a connection that connect-node keeps. Connect-node's own client takes
 * several times as long, and that is most of the cost of forwarding. Rejects with ConnectError: the
 * other instance's answer, or what happened to the connection.
 */
export async function callPeer<Input extends DescMessage, Output extends DescMessage>(
  sessions: Http2SessionManager,
  method: DescMethodUnary<Input, Output>,
  request: MessageInitShape<Input>,
  { headers, timeoutMs, signal }: CallOptions,
): Promise<MessageShape<Output>> {
  signal?.throwIfAborted();
  const body = framed(toBinary(method.input, create(method.input, request)));
  const path = `/${method.parent.typeName}/${method.name}`;
  const timeout = timeoutMs === undefined ? {} : { "grpc-timeout": timeoutText(timeoutMs) };
  const stream = await sessions
    .request(
      "POST",
      path,
      { ...headers, ...timeout, "content-type": "application/grpc+proto", te: "trailers" },
      {},
    )
    .catch((cause: unknown) => {
      throw new ConnectError(String(cause), Code.Unavailable, undefined, undefined, cause);
    });
  const answer = answerOf(stream, { timeoutMs, signal });
  stream.end(body);
  const bytes = await answer;
  // Bytes that do not decode are no answer.
  try {
    return fromBinary(method.output, unframed(bytes));
  } catch (cause) {
    throw new ConnectError(String(cause), Code.Internal, undefined, undefined, cause);
  }
}

/** The whole answer, once its status is known to be good. */
function answerOf(
  stream: ClientHttp2Stream,
  { timeoutMs, signal }: Pick<CallOptions, "timeoutMs" | "signal">,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let response: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;
    let trailers: IncomingHttpHeaders | undefined;
    let failure: unknown;
    const giveUp = (reason: unknown): void => {
      // Do not wait for its close: the other side may be stopped, and the close would never come.
      reject(reason);
      stream.close(constants.NGHTTP2_CANCEL);
    };
    const abort = (): void => giveUp(signal?.reason);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => giveUp(new ConnectError("the operation timed out", Code.DeadlineExceeded)),
            Math.min(timeoutMs, LONGEST_TIMER_MS),
          );
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    stream.on("response", (received) => {
      response = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", (cause) => {
      failure = new ConnectError(String(cause), Code.Unavailable, undefined, undefined, cause);
    });
    stream.on("close", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      // A whole answer counts, whatever happened to the connection after it.
      const status = (trailers ?? response)?.["grpc-status"];
      if (status === undefined) return reject(failure ?? brokenOff(stream, response));
      if (status === "0") return resolve(Buffer.concat(chunks));
      reject(findTrailerError(webHeaders({ ...response, ...trailers })));
    });
  });
}

/** It ended without a status. */
function brokenOff(
  { rstCode }: ClientHttp2Stream,
  response: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined,
): ConnectError {
  const status = response?.[":status"];
  const text = status === undefined || status === 200 ? `HTTP/2 code ${rstCode}` : `HTTP ${status}`;
  return new ConnectError(`the call ended without a status: ${text}`, Code.Unavailable);
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

function unframed(frame: Buffer): Uint8Array {
  // We offer no compression.
  if (frame.length < PREFIX_BYTES || frame[0] !== 0) throw new Error("no message");
  const length = frame.readUInt32BE(1);
  if (frame.length !== PREFIX_BYTES + length) throw new Error("not one whole message");
  return frame.subarray(PREFIX_BYTES);
}

function timeoutText(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  return whole <= MOST_MILLISECONDS
    ? `${whole}m`
    : `${Math.min(MOST_MILLISECONDS, Math.ceil(ms / 1_000))}S`;
}
