import { setTimeout as sleep } from "node:timers/promises";
import type { DescMessage, DescMethodBiDiStreaming, MessageShape } from "@bufbuild/protobuf";
import { backoffMs } from "./backoff.ts";
import { UsherClientError } from "./errors.ts";
import type { OpenStream, Transport } from "./transport.ts";

/** A stream that lived this long was no failure, even if nothing came on it. */
const GOOD_LIFE_MS = 10_000;

/** One who keeps a stream open. */
export interface StreamKeeper<Input extends DescMessage, Output extends DescMessage> {
  /**
   * Prepares what the stream needs before it is opened. Rejects as the stream itself would fail.
   */
  prepare?(): Promise<void>;
  opened(stream: OpenStream<Input>): void;
  received(message: MessageShape<Output>): void;
  /** The stream broke, or could not be opened; unless it is stopping, another one follows. */
  broken(error: UsherClientError): void;
}

/**
 * Keeps one stream open, and opens another, with back-off, whenever it breaks. Resolves once `stop`
 * has aborted and the stream that was open then is over; its keeper half-closes or cancels it.
 */
export async function keepStreamOpen<Input extends DescMessage, Output extends DescMessage>(
  transport: Transport,
  method: DescMethodBiDiStreaming<Input, Output>,
  keeper: StreamKeeper<Input, Output>,
  stop: AbortSignal,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  let failures = 0;
  while (!stop.aborted) {
    let error: UsherClientError | undefined;
    try {
      await awake(Promise.race([transport.ready(), stopped]));
      if (stop.aborted) return;
      await keeper.prepare?.();
      if (stop.aborted) return;
      const openedAt = performance.now();
      const stream = transport.openStream(method, (message) => {
        failures = 0;
        keeper.received(message);
      });
      keeper.opened(stream);
      error = await stream.over;
      if (performance.now() - openedAt > GOOD_LIFE_MS) failures = 0;
      if (stop.aborted && error === undefined) return;
    } catch (cause) {
      if (!(cause instanceof UsherClientError)) throw cause;
      error = cause;
    }
    keeper.broken(error ?? new UsherClientError("UNAVAILABLE", "", "the server ended the stream"));
    failures++;
    const delayMs = Math.max(backoffMs(failures), error?.retryAfterMs ?? 0);
    await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
  }
}

/** Waits, and keeps the process alive meanwhile: a connection that is being made does not. */
async function awake(promise: Promise<void>): Promise<void> {
  const timer = setInterval(() => {}, 2 ** 30);
  try {
    await promise;
  } finally {
    clearInterval(timer);
  }
}
