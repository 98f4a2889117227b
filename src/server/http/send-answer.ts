import { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { closeLingering } from "../lingering-close.ts";
import type { HttpResponse } from "./pages.ts";

/**
 * Sends what Connect answers. Connect-node's own function does not notice, over HTTP/2, that a slow
 * caller has gone. This one does, and ends the handler. Rejects if the answer was not delivered
 * whole.
 */
export async function deliver(
  { status, header, body, trailer }: UniversalServerResponse,
  response: HttpResponse,
): Promise<void> {
  const out: Writable = response;
  let closed = false;
  out.once("close", () => {
    closed = true;
  });
  // `closed` tells of a connection that breaks.
  out.on("error", () => {});

  const chunks = body?.[Symbol.asyncIterator]();
  try {
    // The handler sets headers before its first answer.
    let next = await chunks?.next();
    response.statusCode = status;
    header?.forEach((value, name) => {
      response.setHeader(name, value);
    });
    while (next !== undefined && next.done !== true) {
      if (closed) throw callerGone();
      if (!out.write(next.value)) await room(out);
      next = await chunks?.next();
    }
    if (closed) throw callerGone();
    if (trailer !== undefined) {
      // Headers that go with the end of the stream would leave no place for trailers.
      if (!response.headersSent) sendHead(response);
      response.addTrailers(Object.fromEntries(trailer));
    }
    out.end();
    if ("stream" in response && !response.stream.readableEnded) closeLingering(response.stream);
  } catch (error) {
    // A handler that waits at its `yield` goes on to its `finally`.
    chunks?.throw?.(error).then(undefined, () => {});
    throw error;
  }
}

function sendHead(response: HttpResponse): void {
  if (response instanceof ServerResponse) response.flushHeaders();
  else response.writeHead(response.statusCode);
}

function callerGone(): ConnectError {
  return new ConnectError("the caller has gone", Code.Canceled);
}

/** Waits until more can be written. */
function room(out: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      out.off("close", onClose);
      resolve();
    };
    const onClose = (): void => {
      out.off("drain", onDrain);
      reject(callerGone());
    };
    out.once("drain", onDrain).once("close", onClose);
  });
}
