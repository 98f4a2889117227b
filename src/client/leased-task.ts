import type { Task as TaskMessage } from "../../gen/usher/queue/v1/task_pb.ts";
import { type UsherClientError, wholeMs } from "./errors.ts";
import { Task } from "./task.ts";

/** What a handler gets beside its task. */
export interface HandlerContext {
  /**
   * Aborts when the result of the handler does not count any more, with a UsherClientError:
   * LEASE_LOST, when another worker may have the task, or CLOSED, when the worker stops and its
   * grace is over.
   */
  readonly signal: AbortSignal;
  /**
   * Holds the task for `extendMs` milliseconds longer. The worker does so by itself as long as the
   * handler runs; this is for a handler that is about to block the process. Rejects with
   * LEASE_LOST.
   */
  readonly touch: (extendMs: number) => Promise<void>;
}

/** How long a lease lasts without a ttr, if the server's default was not changed. */
const DEFAULT_LEASE_MS = 60_000;

/** A task that this worker has a lease on, from its arrival until it is settled or lost. */
export class LeasedTask implements HandlerContext {
  readonly task: Task;
  readonly lease: string;
  /** How long the lease lasts after a take or a full touch, in milliseconds. */
  readonly leaseMs: number;
  /** Whether the lease ends only with its session. Touches then only ask whether it is held. */
  readonly endless: boolean;
  /** When the lease ends, by this machine's clock, counted from the task's arrival. */
  leaseEndsAt: number;
  /** Whether its settlement is on its way, or answered. */
  isSettled = false;
  /** Whether an extension of the lease is under way. */
  touching = false;
  readonly #touch: (held: LeasedTask, extendMs: number) => Promise<void>;
  #lost: UsherClientError | undefined;
  #abort: AbortController | undefined;

  constructor(
    message: TaskMessage,
    now: number,
    touch: (held: LeasedTask, extendMs: number) => Promise<void>,
  ) {
    this.task = new Task(message);
    this.lease = message.lease;
    this.leaseMs = this.task.ttrMs ?? DEFAULT_LEASE_MS;
    this.endless = message.leaseExpireTime === undefined;
    this.leaseEndsAt = now + this.leaseMs;
    this.#touch = touch;
  }

  /** It is made when it is asked for. Most handlers do not ask, and it is expensive. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#lost !== undefined) this.#abort.abort(this.#lost);
    }
    return this.#abort.signal;
  }

  get touch(): (extendMs: number) => Promise<void> {
    return async (extendMs) => {
      if (this.#lost !== undefined) throw this.#lost;
      return this.#touch(this, wholeMs("extendMs", extendMs));
    };
  }

  /** Whether the lease is gone, so that there is nothing to settle. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Notes that the lease is gone, and tells a running handler. */
  lose(why: UsherClientError): void {
    this.#lost ??= why;
    this.#abort?.abort(this.#lost);
  }
}
