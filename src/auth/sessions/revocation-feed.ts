import type { Clock } from "../../base/clock.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import { pageStart, pageToken } from "../../base/request-fields.ts";
import type { Log } from "../../logging/log.ts";
import type { Revocation, RevocationSteps } from "../repository.ts";

/** How often the store is asked for what anyone has revoked, while someone watches. */
const POLL_MS = 250;

const PAUSE_AFTER_FAULT_MS = 5_000;

const PAGE = 100;

/** The next message for a watcher. */
export interface RevocationNews {
  /** The place after it, to go on from. */
  readonly cursor: string;
  /** Undefined where there is only a cursor. */
  readonly revocation: Revocation | undefined;
}

/**
 * Tells watchers what is revoked. They share one read of the store, which finds the revocations of
 * every instance. Each watcher reads at its own pace, so a slow one holds nobody up.
 */
export class RevocationFeed {
  readonly #repository: RevocationSteps;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Watchers that have read everything, each with the place from which on there is news for it. */
  readonly #waiting = new Set<{ readonly after: number; readonly wake: () => void }>();
  readonly #closed = new AbortController();
  #cancelPoll: (() => void) | undefined;

  constructor(parts: {
    readonly repository: RevocationSteps;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#repository = parts.repository;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /**
   * First a cursor alone, then everything that is revoked after it, in order, until `signal` fires
   * or the feed closes (SHUTTING_DOWN). Goes on from a cursor, or from now without one; a cursor
   * of another database gives all that is kept. Throws INVALID_PARAMS for what is no cursor.
   */
  async *watch(cursor: string, signal: AbortSignal): AsyncGenerator<RevocationNews> {
    const given = readCursor(cursor);
    this.#closed.signal.throwIfAborted();
    const last = await this.#repository.lastRevocation();
    // Sequences never go back, so a place in the future is of another database.
    let after = given === undefined ? last : given > last ? 0 : given;
    yield { cursor: pageToken(after), revocation: undefined };
    while (!signal.aborted) {
      this.#closed.signal.throwIfAborted();
      const page = await this.#repository.listRevocations({ after, limit: PAGE });
      for (const revocation of page) {
        after = revocation.sequence;
        yield { cursor: pageToken(after), revocation };
      }
      if (page.length < PAGE) await this.#newsAfter(after, signal);
    }
  }

  /** Ends every watch. */
  close(): void {
    this.#closed.abort(new UsherError("SHUTTING_DOWN"));
    this.#cancelPoll?.();
  }

  /** Resolves when there is news, the watch is over or the feed closes. */
  #newsAfter(after: number, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.#closed.signal]);
    if (over.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        over.removeEventListener("abort", wake);
        this.#waiting.delete(waiter);
        resolve();
      };
      const waiter = { after, wake };
      over.addEventListener("abort", wake, { once: true });
      this.#waiting.add(waiter);
      this.#cancelPoll ??= this.#clock.after(POLL_MS, () => void this.#poll());
    });
  }

  async #poll(): Promise<void> {
    let last: number | undefined;
    try {
      last = await this.#repository.lastRevocation();
    } catch (error) {
      this.#log.warn({ err: error }, "watchers of revocations wait: the store does not answer");
    }
    for (const { after, wake } of this.#waiting) if (last !== undefined && last > after) wake();
    const goesOn = this.#waiting.size > 0 && !this.#closed.signal.aborted;
    const pauseMs = last === undefined ? PAUSE_AFTER_FAULT_MS : POLL_MS;
    this.#cancelPoll = goesOn ? this.#clock.after(pauseMs, () => void this.#poll()) : undefined;
  }
}

function readCursor(cursor: string): number | undefined {
  const place = pageStart("cursor", cursor);
  if (place === undefined) return undefined;
  if (typeof place === "number" && place >= 0) return place;
  throw invalid("cursor", "is not a cursor that a response had");
}
