import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import {
  ProduceRequestSchema,
  type ProduceResponse,
  type ProduceResponseSchema,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import { closed, refusal, UsherClientError, wholeMs } from "./errors.ts";
import { type NewTask, toNewTask } from "./new-task.ts";
import { type Batch, type Put, PutLanes, type PutResult } from "./put-lanes.ts";
import { keepStreamOpen, type StreamKeeper } from "./reconnecting-stream.ts";
import type { OpenStream, Transport } from "./transport.ts";

export interface ProducerOptions {
  /**
   * How long a put waits for room in a full tube, in milliseconds; then it fails with TUBE_FULL.
   * Default 0: not at all. While one waits, later puts of this producer for the tube wait behind it.
   */
  readonly waitMs?: number;
  /**
   * How long a put may wait until it is sent, in milliseconds, `waitMs` on top; then it fails with
   * NOT_SENT. It waits while there is no connection. Default 30,000.
   */
  readonly sendTimeoutMs?: number;
  /** The most puts without an answer; past it, put() fails with TOO_MANY_PENDING. Default 50,000. */
  readonly maxPendingTasks?: number;
  /** The most bytes that these may have, about. Default 64 MiB. */
  readonly maxPendingBytes?: number;
  /** The most tasks in one message, up to 10,000. Default 1,000. */
  readonly maxBatchTasks?: number;
  /** The most bytes in one message, about; a larger task goes alone. Default 1 MiB. */
  readonly maxBatchBytes?: number;
}

/**
 * Batches that may be without an answer. The server commits one while it reads the next; more of
 * them would only make each smaller.
 */
const WINDOW = 4;
/** How often puts that were not sent are looked at. */
const SWEEP_MS = 500;
/** Reasons for refusing a batch that may be the fault of one task, or of the number of tasks. */
const SPLITTABLE = new Set(["INVALID_PARAMS", "PAYLOAD_TOO_LARGE", "TUBE_FULL"]);

type Request = typeof ProduceRequestSchema;
type Response = typeof ProduceResponseSchema;

/**
 * Puts tasks, many at once: what is asked for in one turn of the event loop, or while earlier
 * batches are under way, goes out as one batch on one stream.
 *
 * Order: tasks of one tube are put in the order of the calls of put(). Where a batch is refused,
 * its puts are tried again in smaller ones, so that each fails or succeeds by itself; those that
 * were under way behind it may then come first.
 */
export class Producer implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #closed: () => void;
  readonly #waitMs: number;
  readonly #wait: Duration | undefined;
  readonly #sendTimeoutMs: number;
  readonly #maxPendingTasks: number;
  readonly #maxPendingBytes: number;
  readonly #lanes: PutLanes;
  readonly #underWay = new Map<bigint, Batch>();
  /** How many batches may wait for room. They hold up their own tube and not the others. */
  #waiting = 0;
  readonly #stop = new AbortController();
  #stream: OpenStream<Request> | undefined;
  /** Resolves when the stream is given up; undefined before the first put. */
  #kept: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #lastError: UsherClientError | undefined;
  #sequence = 0n;
  #order = 0;
  #pending = 0;
  #pendingBytes = 0;
  #flushSet = false;
  #sweep: NodeJS.Timeout | undefined;
  #whenRoom: (() => void)[] = [];
  #whenEmpty: (() => void)[] = [];

  /** Use `UsherClient.producer`. */
  constructor(transport: Transport, options: ProducerOptions, closed: () => void) {
    this.#transport = transport;
    this.#closed = closed;
    this.#waitMs = wholeMs("waitMs", options.waitMs ?? 0);
    this.#wait = this.#waitMs > 0 ? durationFromMs(this.#waitMs) : undefined;
    this.#sendTimeoutMs = options.sendTimeoutMs ?? 30_000;
    this.#maxPendingTasks = options.maxPendingTasks ?? 50_000;
    this.#maxPendingBytes = options.maxPendingBytes ?? 64 * 1024 ** 2;
    this.#lanes = new PutLanes({
      tasks: Math.min(options.maxBatchTasks ?? 1_000, 10_000),
      bytes: options.maxBatchBytes ?? 1024 ** 2,
      wait: this.#wait !== undefined,
    });
  }

  /**
   * Puts one task; resolves when it is durable. Bytes are not copied and must not change until
   * then.
   *
   * Rejects with a UsherClientError: what BatchPut fails with (TUBE_NOT_FOUND, TUBE_FULL,
   * PAYLOAD_TOO_LARGE, INVALID_PARAMS), or UNANSWERED, when the connection broke after the task was
   * sent, so that it may be in the tube or not. With a `dedupKey` it is sent again instead, and
   * is there once; `duplicate` is true if the first try came through. NOT_SENT, TOO_MANY_PENDING
   * and CLOSED: the task was not put.
   */
  put(tube: string, task: NewTask): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw closed("the producer");
      const { message, bytes } = toNewTask(task);
      if (!this.#hasRoom()) {
        throw new UsherClientError(
          "RESOURCE_EXHAUSTED",
          "TOO_MANY_PENDING",
          `${this.#pending} puts wait for their answers; await room() between puts`,
        );
      }
      this.#pending++;
      this.#pendingBytes += bytes;
      const order = this.#order++;
      const at = performance.now();
      this.#lanes.add({ tube, task: message, bytes, order, at, sent: false, resolve, reject });
      this.#kept ??= this.#keep();
      this.#flushSoon();
      this.#sweepLater();
    });
  }

  /** Resolves when put() would not fail with TOO_MANY_PENDING: for loops that await no put. */
  async room(): Promise<void> {
    while (!this.#hasRoom()) {
      await new Promise<void>((resolve) => this.#whenRoom.push(resolve));
    }
  }

  /**
   * Takes no more puts, waits until all there are have ended, and ends the stream. Without a
   * connection that takes up to `sendTimeoutMs`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#closed);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    while (this.#pending > 0) {
      await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    }
    clearTimeout(this.#sweep);
    this.#stop.abort();
    this.#stream?.halfClose();
    await this.#kept;
  }

  #keep(): Promise<void> {
    const keeper: StreamKeeper<Request, Response> = {
      opened: (stream) => {
        this.#stream = stream;
        this.#flush();
      },
      received: (answer) => this.#answered(answer),
      broken: (error) => this.#broken(error),
    };
    const method = QueueService.method.produce;
    return keepStreamOpen(this.#transport, method, keeper, this.#stop.signal);
  }

  /** Sends at the end of this turn of the event loop, to have all of it in one batch. */
  #flushSoon(): void {
    if (this.#flushSet) return;
    this.#flushSet = true;
    setImmediate(() => {
      this.#flushSet = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#stream !== undefined && this.#underWay.size - this.#waiting < WINDOW) {
      const batch = this.#lanes.next();
      if (batch === undefined) return;
      const request = create(ProduceRequestSchema);
      request.sequence = ++this.#sequence;
      request.tube = batch.tube;
      for (const put of batch.puts) {
        put.sent = true;
        request.tasks.push(put.task);
      }
      if (batch.waits && this.#wait !== undefined) {
        request.wait = this.#wait;
        this.#waiting++;
      }
      this.#underWay.set(request.sequence, batch);
      this.#stream.send(request);
    }
  }

  #answered({ sequence, ids, duplicates, error }: ProduceResponse): void {
    const batch = this.#underWay.get(sequence);
    if (batch === undefined) return;
    this.#underWay.delete(sequence);
    if (batch.waits) this.#waiting--;
    this.#lanes.settled(batch);
    const { tube, puts } = batch;
    if (error === undefined) {
      const repeated = duplicates.length > 0 ? new Set(duplicates) : undefined;
      for (const [index, put] of puts.entries()) {
        put.resolve({ id: ids[index] ?? 0n, duplicate: repeated?.has(index) ?? false });
      }
      this.#forget(puts);
    } else if (error.reason === "SHUTTING_DOWN") {
      // None of them was put. The next stream goes to another server, or to this one when it is
      // back.
      this.#lanes.putBack(tube, puts);
      this.#stream?.halfClose();
      this.#stream = undefined;
    } else if (error.reason === "SHARD_UNAVAILABLE") {
      this.#putAgain(batch, inDoubt("the tube moved before the answer", refusal(error)));
    } else if (puts.length > 1 && SPLITTABLE.has(error.reason)) {
      const half = puts.length >> 1;
      this.#lanes.putBack(tube, puts.slice(0, half));
      this.#lanes.putBack(tube, puts.slice(half));
    } else {
      this.#giveUp(puts, refusal(error));
      if (error.reason === "TUBE_FULL") this.#giveUpBehind(tube, refusal(error));
    }
    this.#flushSoon();
  }

  /**
   * There is no room for this put, and none for those behind it that have waited as long. They fail
   * together, and not one after the other. A duplicate needs no room and is tried.
   */
  #giveUpBehind(tube: string, error: UsherClientError): void {
    const since = performance.now() - this.#waitMs;
    const isOver = (put: Put): boolean =>
      put.tube === tube && put.at <= since && put.task.dedupKey === "";
    this.#giveUp(this.#lanes.remove(isOver), error);
  }

  #broken(cause: UsherClientError): void {
    this.#stream = undefined;
    const batches = [...this.#underWay.values()];
    this.#underWay.clear();
    this.#waiting = 0;
    this.#lastError = cause;
    const unanswered = inDoubt("the connection broke before the answer", cause);
    for (const batch of batches) {
      this.#lanes.settled(batch);
      this.#putAgain(batch, unanswered);
    }
  }

  /**
   * It is unknown whether a batch was put. Tasks with a dedup key are put again, the others are
   * given up.
   */
  #putAgain({ tube, puts }: Pick<Batch, "tube" | "puts">, unanswered: UsherClientError): void {
    this.#lanes.putBack(
      tube,
      puts.filter(({ task }) => task.dedupKey !== ""),
    );
    this.#giveUp(
      puts.filter(({ task }) => task.dedupKey === ""),
      unanswered,
    );
  }

  #giveUp(puts: readonly Put[], error: UsherClientError): void {
    for (const put of puts) put.reject(error);
    this.#forget(puts);
  }

  #forget(puts: readonly Put[]): void {
    this.#pending -= puts.length;
    for (const { bytes } of puts) this.#pendingBytes -= bytes;
    if (this.#hasRoom()) for (const resolve of this.#whenRoom.splice(0)) resolve();
    if (this.#pending === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  #hasRoom(): boolean {
    return this.#pending < this.#maxPendingTasks && this.#pendingBytes < this.#maxPendingBytes;
  }

  #sweepLater(): void {
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      const oldest = performance.now() - this.#sendTimeoutMs - this.#waitMs;
      for (const put of this.#lanes.remove(({ at }) => at < oldest)) {
        this.#giveUp([put], notSent(put, this.#lastError));
      }
      if (this.#pending > 0) this.#sweepLater();
    }, SWEEP_MS);
  }
}

function inDoubt(what: string, cause: UsherClientError): UsherClientError {
  return new UsherClientError(
    "UNAVAILABLE",
    "UNANSWERED",
    `${what}; the task may have been put, or not: ${cause.message}`,
    { cause },
  );
}

function notSent({ sent }: Put, cause: UsherClientError | undefined): UsherClientError {
  return sent
    ? new UsherClientError(
        "UNAVAILABLE",
        "UNANSWERED",
        "the connection broke and did not come back in time; the task may have been put, or not",
        { cause },
      )
    : new UsherClientError(
        "DEADLINE_EXCEEDED",
        "NOT_SENT",
        "the task could not be sent in time and was not put",
        { cause },
      );
}
