import type { ServerHttp2Stream } from "node:http2";

/** How long a client may take to end its side of a stream; in milliseconds. */
const LINGER_MS = 2_000;

/**
 * Resets a stream that has been answered, unless the client soon ends its side. Some forget to if
 * they were still sending; the stream would stay half-open, and a stop would wait for it.
 */
export function closeLingering(stream: ServerHttp2Stream): void {
  const resetSoon = (): void => {
    const timer = setTimeout(() => stream.close(), LINGER_MS).unref();
    stream.once("close", () => clearTimeout(timer));
  };
  if (stream.writableFinished) resetSoon();
  else stream.once("finish", resetSoon);
}
