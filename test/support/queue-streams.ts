import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import {
  type SettleSchema,
  TaskChange,
  TaskChangeSchema,
  type TaskEvent,
  type WatchResponse,
  type WorkRequestSchema,
  type WorkResponse,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import { type Task, TaskState, TaskStateSchema } from "../../gen/usher/queue/v1/task_pb.ts";

type QueueClient = Client<typeof QueueService>;

/** A call that streams both ways, driven message by message. */
export class Exchange<Request, Response> {
  readonly #outgoing = new Outgoing<Request>();
  readonly #controller = new AbortController();
  readonly #answers: AsyncIterator<Response>;

  constructor(
    call: (
      requests: AsyncIterable<Request>,
      options: { signal: AbortSignal },
    ) => AsyncIterable<Response>,
  ) {
    const answers = call(this.#outgoing, { signal: this.#controller.signal });
    this.#answers = answers[Symbol.asyncIterator]();
  }

  send(request: Request): void {
    this.#outgoing.push(request);
  }

  /** The next answer, or undefined when the stream has ended well. */
  async next(): Promise<Response | undefined> {
    const next = await this.#answers.next();
    return next.done ? undefined : next.value;
  }

  async rest(): Promise<Response[]> {
    const answers: Response[] = [];
    for (let next = await this.next(); next !== undefined; next = await this.next()) {
      answers.push(next);
    }
    return answers;
  }

  halfClose(): void {
    this.#outgoing.end();
  }

  /** The caller goes without a word. */
  cancel(): void {
    this.#controller.abort();
    this.#answers.next().catch(() => {});
  }
}

export class WorkStream {
  readonly #exchange: Exchange<MessageInitShape<typeof WorkRequestSchema>, WorkResponse>;

  constructor(client: QueueClient) {
    this.#exchange = new Exchange((requests, options) => client.work(requests, options));
  }

  send(message: MessageInitShape<typeof WorkRequestSchema>["message"] & object): void {
    this.#exchange.send({ message });
  }

  /** A message that says nothing. */
  sendNothing(): void {
    this.#exchange.send({});
  }

  settle(settle: MessageInitShape<typeof SettleSchema>): void {
    this.send({ case: "settle", value: settle });
  }

  /** The tasks of the next message, which must be tasks. */
  async tasks(): Promise<Task[]> {
    const message = await this.message();
    assert.equal(message?.case, "tasks");
    return message.value.tasks;
  }

  /** So many tasks, however many messages they come in; nothing else may come between. */
  async take(count: number): Promise<Task[]> {
    const tasks: Task[] = [];
    while (tasks.length < count) tasks.push(...(await this.tasks()));
    assert.equal(tasks.length, count);
    return tasks;
  }

  /** The next message as it is; undefined when the stream has ended well. */
  async message(): Promise<WorkResponse["message"] | undefined> {
    return (await this.#exchange.next())?.message;
  }

  /** The next message, which must answer a settlement: its number, and reasons by lease. */
  async settled(): Promise<{ sequence: bigint; failures: Record<string, string> }> {
    const message = await this.message();
    assert.equal(message?.case, "settled");
    const { sequence, failures } = message.value;
    return {
      sequence,
      failures: Object.fromEntries(failures.map(({ lease, reason }) => [lease, reason])),
    };
  }

  /** What the rest of the stream brings, until it ends. */
  async rest(): Promise<WorkResponse["message"][]> {
    return (await this.#exchange.rest()).map(({ message }) => message);
  }

  halfClose(): void {
    this.#exchange.halfClose();
  }

  cancel(): void {
    this.#exchange.cancel();
  }
}

/** What a watcher sees. */
export class WatchStream {
  readonly #answers: AsyncIterator<WatchResponse>;
  readonly #controller = new AbortController();
  #begun = false;

  constructor(client: QueueClient, tube: string, includePayload: boolean) {
    const { signal } = this.#controller;
    this.#answers = client.watch({ tube, includePayload }, { signal })[Symbol.asyncIterator]();
  }

  /** Nothing says that a watch has begun, so an empty tube is truncated until that is seen. */
  async begin(client: QueueClient, tube: string): Promise<void> {
    let seen = false;
    const first = this.message().then(() => {
      seen = true;
    });
    while (!seen) {
      await client.truncateTube({ tube });
      await sleep(1);
    }
    await first;
  }

  /** The next change, which must be one. */
  async next(): Promise<TaskEvent> {
    for (;;) {
      const message = await this.message();
      assert.equal(message?.case, "event");
      const { value: event } = message;
      this.#begun ||= event.change !== TaskChange.TRUNCATED;
      if (this.#begun) return event;
    }
  }

  /** The next changes by name, each with the state that it left the task in. */
  async changes(count: number): Promise<string[]> {
    const changes: string[] = [];
    while (changes.length < count) {
      const { change, task } = await this.next();
      const state = task?.state ?? TaskState.UNSPECIFIED;
      changes.push(
        `${TaskChangeSchema.value[change]?.localName} ${TaskStateSchema.value[state]?.localName}`,
      );
    }
    return changes;
  }

  /** The next message as it is; undefined when the stream has ended well. */
  async message(): Promise<WatchResponse["message"] | undefined> {
    const next = await this.#answers.next();
    return next.done ? undefined : next.value.message;
  }

  cancel(): void {
    this.#controller.abort();
    this.#answers.next().catch(() => {});
  }
}

/** Requests of a stream, handed over one by one. */
class Outgoing<T> implements AsyncIterable<T> {
  readonly #requests: T[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(request: T): void {
    this.#requests.push(request);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: async () => {
        while (this.#requests.length === 0 && !this.#ended) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        const [value] = this.#requests.splice(0, 1);
        return value === undefined ? { done: true, value: undefined } : { done: false, value };
      },
      // A generator would wait for its next request before it heard of either.
      return: async () => {
        this.end();
        return { done: true, value: undefined };
      },
      throw: async (error: unknown) => {
        this.end();
        throw error;
      },
    };
  }
}
