import type { Socket } from "node:net";

/** What every HTTP/2 client says first on a plaintext connection. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Waits for a connection's first bytes, puts them back, and calls `then` with whether they are the
 * start of HTTP/2. A socket that says too little within `timeoutMs`, or goes, is destroyed and
 * `then` is not called. The socket is handed over paused.
 */
export function peekProtocol(
  socket: Socket,
  timeoutMs: number,
  then: (protocol: "http1" | "http2") => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(giveUp, timeoutMs);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const matches = seen.compare(PREFACE, 0, length, 0, length) === 0;
    if (matches && length < PREFACE.length) return;
    clearTimeout(timer);
    socket.off("data", onData).off("end", giveUp).off("error", giveUp).off("close", onClose);
    socket.pause();
    socket.unshift(seen);
    then(matches ? "http2" : "http1");
  };
  const onClose = (): void => clearTimeout(timer);
  socket.on("data", onData).on("end", giveUp).on("error", giveUp).on("close", onClose);
}
