import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import {
  WorkRequestSchema,
  type WorkResponse,
  type WorkResponseSchema,
  WorkStartSchema,
  type WorkTasks,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import type { Calls } from "./calls.ts";
import { closed, UsherClientError, wholeMs } from "./errors.ts";
import { type Handler, HandlerPool } from "./handler-pool.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeasedTask } from "./leased-task.ts";
import { keepStreamOpen, type StreamKeeper } from "./reconnecting-stream.ts";
import { CallsSink, StreamSink } from "./settlement-sinks.ts";
import { type Settlement, Settler } from "./settler.ts";
import type { Task } from "./task.ts";
import type { OpenStream, Transport } from "./transport.ts";

export interface WorkerOptions {
  /** The tubes to take from, 1 or more. */
  readonly tubes: readonly string[];
  readonly handler: Handler;
  /**
   * Told of everything that goes wrong: what handlers throw (other than ReleaseTask and BuryTask),
   * leases that were lost, broken connections and refused streams, after which the worker tries
   * again. `task` is given where it is about one.
   */
  readonly onError: (error: Error, task?: Task) => void;
  /** How many handlers run at once, at most. Default 10. */
  readonly concurrency?: number;
  /**
   * How many tasks the worker holds at once, running or waiting for their turn; up to 10,000.
   * Default: the larger of twice the concurrency and 400, which hides the way to the server and
   * back, and its commit, even where a handler takes less than a millisecond. Where handlers take
   * long, twice the concurrency is plenty, and leaves the rest to other workers. Where tasks are
   * large, mind that so many of them are in memory.
   */
  readonly prefetch?: number;
  /**
   * Holds the leases in a session that outlives a broken connection for so many milliseconds,
   * 1,000 to 86,400,000: running handlers then go on, and settle over the next connection. Default:
   * none, and a broken connection loses the leases.
   */
  readonly sessionTtlMs?: number;
  /** How long close() waits for running handlers, in milliseconds. Default 20,000. */
  readonly graceMs?: number;
}

const DEFAULT_CONCURRENCY = 10;
const DEFAULT_PREFETCH = 400;
const MOST_PREFETCH = 10_000;
const DEFAULT_GRACE_MS = 20_000;
/** How long handlers have to notice their aborted signals. */
const LAST_WORDS_MS = 500;

type Request = typeof WorkRequestSchema;
type Response = typeof WorkResponseSchema;

/** Takes tasks by a Work stream, runs a handler for each, and settles them. */
export class Worker implements AsyncDisposable {
  readonly #queue: Calls<typeof QueueService>;
  readonly #options: WorkerOptions;
  readonly #closed: () => void;
  readonly #concurrency: number;
  readonly #prefetch: number;
  /** undefined: leases are held without a session. */
  readonly #sessionTtl: Duration | undefined;
  readonly #pool: HandlerPool;
  readonly #settler: Settler;
  readonly #leases: LeaseKeeper;
  readonly #stop = new AbortController();
  readonly #kept: Promise<void>;
  readonly #touch = (held: LeasedTask, extendMs: number) => this.#askForMore(held, extendMs);
  #stream: OpenStream<Request> | undefined;
  #sink: StreamSink | undefined;
  /** The session's id; empty: there is none. */
  #session = "";
  #closing: Promise<void> | undefined;

  /** Use `UsherClient.worker`. */
  constructor(
    transport: Transport,
    queue: Calls<typeof QueueService>,
    options: WorkerOptions,
    closed: () => void,
  ) {
    const { tubes, handler, concurrency = DEFAULT_CONCURRENCY } = options;
    if (tubes.length === 0) throw new RangeError("tubes: must name one at least");
    this.#concurrency = whole("concurrency", concurrency, MOST_PREFETCH);
    const enough = Math.min(Math.max(2 * concurrency, DEFAULT_PREFETCH), MOST_PREFETCH);
    this.#prefetch = whole("prefetch", options.prefetch ?? enough, MOST_PREFETCH);
    const { sessionTtlMs: ttlMs } = options;
    this.#sessionTtl =
      ttlMs === undefined ? undefined : durationFromMs(wholeMs("sessionTtlMs", ttlMs));
    this.#queue = queue;
    this.#closed = closed;
    this.#options = options;
    this.#settler = new Settler({
      again: this.#sessionTtl !== undefined,
      failed: (settlement, error) => this.#settlementFailed(settlement, error),
      flushed: () => this.#pool.resume(),
    });
    this.#pool = new HandlerPool({
      handler,
      concurrency,
      finished: (settlement, error) => this.#finished(settlement, error),
      busySince: () => this.#settler.waitingSince,
    });
    this.#leases = new LeaseKeeper({
      touch: (held, extendMs) => this.#touchInTime(held, extendMs),
      ended: (held) => this.#lose(held, leaseLost("the lease ended before it could be extended")),
    });
    this.#kept = this.#keep(transport);
  }

  /**
   * Stops: takes no more tasks, gives back those that wait for their turn, and waits for running
   * handlers until the grace is over; then their signals abort and their tasks go back too.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#closed);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #keep(transport: Transport): Promise<void> {
    const keeper: StreamKeeper<Request, Response> = {
      prepare: () => this.#openSession(),
      opened: (stream) => this.#opened(stream),
      received: ({ message }) => this.#received(message),
      broken: (error) => this.#broken(error),
    };
    const method = QueueService.method.work;
    return keepStreamOpen(transport, method, keeper, this.#stop.signal);
  }

  async #openSession(): Promise<void> {
    if (this.#sessionTtl === undefined || this.#session !== "") return;
    const { session } = await this.#queue.openSession({ ttl: this.#sessionTtl });
    this.#session = session?.id ?? "";
  }

  #opened(stream: OpenStream<Request>): void {
    const start = create(WorkStartSchema, {
      tubes: [...this.#options.tubes],
      prefetch: this.#wanted(),
      session: this.#session,
    });
    const request = create(WorkRequestSchema);
    request.message = { case: "start", value: start };
    stream.send(request);
    this.#stream = stream;
    this.#sink = new StreamSink(stream);
    this.#settler.use(this.#sink);
  }

  /**
   * A stream does not count tasks that the session still holds from the stream before it. One
   * prefetch on top is fine, but not one with every reconnect.
   */
  #wanted(): number {
    const free = 2 * this.#prefetch - this.#leases.size;
    return Math.min(this.#prefetch, Math.max(free, this.#concurrency));
  }

  #received(message: WorkResponse["message"]): void {
    if (message.case === "settled") this.#sink?.answered(message.value);
    else if (message.case === "tasks") this.#arrived(message.value);
  }

  #arrived({ tasks }: WorkTasks): void {
    const now = performance.now();
    for (const message of tasks) {
      const held = new LeasedTask(message, now, this.#touch);
      this.#leases.add(held);
      this.#pool.add(held);
    }
    if (this.#closing === undefined) this.#pool.resume();
    else this.#giveBackWaiting();
  }

  #broken(cause: UsherClientError): void {
    const sink = this.#sink;
    this.#stream = undefined;
    this.#sink = undefined;
    // A worker that stops settles by single calls already.
    if (this.#closing === undefined) this.#settler.use(undefined);
    let message = `no stream: ${cause.message}`;
    if (this.#session !== "" && cause.reason !== "SESSION_NOT_FOUND") {
      sink?.broken(cause);
    } else {
      this.#session = "";
      const running = this.#pool.running.size;
      const unanswered = this.#settler.open;
      if (running + unanswered > 0) {
        message =
          `the stream broke: ${cause.message}; ${running} running tasks lost their leases and ` +
          `${unanswered} settlements have no answer: these tasks may come again`;
      }
      const error = leaseLost("the stream broke, and its leases went with it", cause);
      for (const held of this.#leases.clear()) held.lose(error);
      this.#pool.removeWaiting();
      this.#settler.drop(error);
      sink?.broken(error);
    }
    const { code, reason, retryAfterMs } = cause;
    this.#report(new UsherClientError(code, reason, message, { cause, retryAfterMs }));
  }

  #finished(settlement: Settlement, error: Error | undefined): void {
    const { held } = settlement;
    if (!held.isLost) this.#settle(settlement);
    if (error !== undefined) this.#report(error, held.task);
  }

  #settle(settlement: Settlement): void {
    this.#leases.remove(settlement.held);
    this.#settler.add(settlement);
  }

  #settlementFailed(settlement: Settlement, error: UsherClientError): void {
    const { held, kind, delayMs, reason = "", repeated } = settlement;
    if (kind === "touch") {
      if (error.reason === "LEASE_LOST") this.#lose(held, error);
    } else if (repeated && error.reason === "LEASE_LOST") {
      // Usually the first try came through. If not, the task comes again.
    } else if (delayMs !== undefined && error.reason === "INVALID_PARAMS") {
      // The tube's kind has no delays.
      this.#settler.add({ held, kind, reason });
    } else {
      this.#report(error, held.task);
    }
  }

  #askForMore(held: LeasedTask, extendMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const answered = (error: UsherClientError | undefined): void => {
        if (error === undefined) {
          held.leaseEndsAt += extendMs;
          resolve();
        } else {
          reject(error);
        }
      };
      this.#settler.add({ held, kind: "touch", extendMs, answered });
    });
  }

  async #touchInTime(held: LeasedTask, extendMs: number): Promise<void> {
    held.touching = true;
    try {
      await this.#askForMore(held, extendMs);
    } catch {
      // The code that is told of the failure deals with the lease.
    }
    held.touching = false;
  }

  #lose(held: LeasedTask, error: UsherClientError): void {
    if (held.isSettled || held.isLost) return;
    this.#leases.remove(held);
    held.lose(error);
    this.#report(error, held.task);
  }

  async #close(): Promise<void> {
    // The order matters: tasks that are given back must not come to this stream again.
    this.#stop.abort();
    this.#stream?.halfClose();
    this.#settler.use(new CallsSink(this.#queue));
    this.#giveBackWaiting();
    await this.#pool.quiet(this.#options.graceMs ?? DEFAULT_GRACE_MS);
    if (this.#pool.running.size > 0) {
      for (const held of this.#pool.running) held.lose(closed("the worker"));
      await this.#pool.quiet(LAST_WORDS_MS);
    }
    await this.#settler.idle();
    // Tasks that are not settled by now go back with the end of the stream or of the session.
    this.#leases.clear();
    this.#stream?.cancel();
    await this.#kept;
    // A session that is over already needs no closing.
    if (this.#session !== "") {
      await this.#queue.closeSession({ session: this.#session }).catch(() => {});
    }
  }

  #giveBackWaiting(): void {
    // They have not failed, so they get no back-off.
    for (const held of this.#pool.removeWaiting()) {
      this.#settle({ held, kind: "release", delayMs: 0 });
    }
  }

  /**
   * It runs in a turn of its own: an error of the user's function must not stop the worker
   * half-way.
   */
  #report(error: Error, task?: Task): void {
    queueMicrotask(() => this.#options.onError(error, task));
  }
}

function leaseLost(message: string, cause?: UsherClientError): UsherClientError {
  return new UsherClientError("FAILED_PRECONDITION", "LEASE_LOST", message, { cause });
}

function whole(name: string, value: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw new RangeError(`${name}: must be a whole number from 1 to ${most}`);
}
