import { setTimeout as sleep } from "node:timers/promises";
import { BuryTask, ReleaseTask } from "./errors.ts";
import type { HandlerContext, LeasedTask } from "./leased-task.ts";
import type { Settlement } from "./settler.ts";
import type { Task } from "./task.ts";

/**
 * Does one task. Returning acks it. Throwing gives it back, with the error's message as the
 * reason; `ReleaseTask` names a delay, `BuryTask` sets it aside.
 */
export type Handler = (task: Task, context: HandlerContext) => unknown;

export interface HandlerPoolOptions {
  readonly handler: Handler;
  /** How many run at once, at most. */
  readonly concurrency: number;
  /** A handler has ended; `error` is what it threw, if it was not to release or bury the task. */
  readonly finished: (settlement: Settlement, error: Error | undefined) => void;
  /**
   * When the oldest result of this turn of the event loop came, as `performance.now`; undefined:
   * none did. `resume` is called in the next turn.
   */
  readonly busySince: () => number | undefined;
}

/** How long handlers may be started in a row before other work gets its turn. */
const LONGEST_TURN_MS = 10;
/** Started entries at the front of the queue are cut off when there are this many. */
const SPENT_ENTRIES = 1_000;
/** The server takes 4,096 bytes; in UTF-16 units, of which each may be three. */
const LONGEST_REASON = 1_300;

/** Runs up to `concurrency` handlers at once. The other tasks wait for their turn, in order. */
export class HandlerPool {
  readonly #options: HandlerPoolOptions;
  readonly #running = new Set<LeasedTask>();
  /** The tasks that wait, from `#next` on. */
  #waiting: LeasedTask[] = [];
  #next = 0;
  #starting = false;
  #whenQuiet: (() => void)[] = [];

  constructor(options: HandlerPoolOptions) {
    this.#options = options;
  }

  /** The tasks whose handlers run. */
  get running(): ReadonlySet<LeasedTask> {
    return this.#running;
  }

  add(held: LeasedTask): void {
    this.#waiting.push(held);
  }

  /** Starts as many handlers as may run. */
  resume(): void {
    if (this.#starting) return;
    this.#starting = true;
    while (this.#running.size < this.#options.concurrency && this.#next < this.#waiting.length) {
      const since = this.#options.busySince();
      if (since !== undefined && performance.now() - since > LONGEST_TURN_MS) break;
      const held = this.#waiting[this.#next++] as LeasedTask;
      if (!held.isLost) this.#run(held);
    }
    if (this.#next > SPENT_ENTRIES || this.#next === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    this.#starting = false;
  }

  /** Removes and returns the tasks that wait for their turn. */
  removeWaiting(): LeasedTask[] {
    const waiting = this.#waiting.slice(this.#next).filter(({ isLost }) => !isLost);
    this.#waiting = [];
    this.#next = 0;
    return waiting;
  }

  /** Resolves when no handler runs, or so many milliseconds have passed. */
  async quiet(ms: number): Promise<void> {
    if (this.#running.size === 0) return;
    const over = new AbortController();
    const quiet = new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    await Promise.race([quiet, sleep(ms, undefined, { signal: over.signal }).catch(() => {})]);
    over.abort();
  }

  #run(held: LeasedTask): void {
    this.#running.add(held);
    let result: unknown;
    try {
      result = this.#options.handler(held.task, held);
    } catch (error) {
      this.#threw(held, error);
      return;
    }
    if (isPromiseLike(result)) {
      result.then(
        () => this.#finish({ held, kind: "ack" }),
        (error) => this.#threw(held, error),
      );
    } else {
      this.#finish({ held, kind: "ack" });
    }
  }

  #threw(held: LeasedTask, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    const reason = cut(error.message || error.name);
    if (error instanceof BuryTask) {
      this.#finish({ held, kind: "bury", reason });
    } else if (error instanceof ReleaseTask) {
      this.#finish({ held, kind: "release", reason, delayMs: error.delayMs });
    } else {
      this.#finish({ held, kind: "release", reason }, error);
    }
  }

  #finish(settlement: Settlement, error?: Error): void {
    // A thenable may call back twice.
    if (!this.#running.delete(settlement.held)) return;
    this.#options.finished(settlement, error);
    this.resume();
    if (this.#running.size === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
}

function cut(reason: string): string {
  return reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON - 1)}…` : reason;
}
