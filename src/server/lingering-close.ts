import type { ServerHttp2Stream } from "node:http2";

/** How long a client may take to end its side of a stream; in milliseconds. */
const LINGER_MS = 2_000;

/**
 * Resets an answered stream unless the client soon ends its side. Some clients forget to when they
 * were still sending. The stream would stay half-open, and a stop would wait for it.
 */
export function closeLingering(stream: ServerHttp2Stream): void {
  const resetSoon = (): void => {
    const timer = setTimeout(() => stream.close(), LINGER_MS).unref();
    stream.once("close", () => clearTimeout(timer));
  };
  if (stream.writableFinished) resetSoon();
  else stream.once("finish", resetSoon);
}
