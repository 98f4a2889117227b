import { durationMs, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Task as TaskMessage } from "../../gen/usher/queue/v1/task_pb.ts";
import { fromPayload, type PayloadKind, type PayloadValue } from "./payload.ts";

/** A task as a worker's handler sees it. */
export class Task {
  readonly #message: TaskMessage;
  #payload: PayloadValue | undefined;

  /** Made by the worker. */
  constructor(message: TaskMessage) {
    this.#message = message;
  }

  /** The tube's name. */
  get tube(): string {
    return this.#message.tube;
  }

  /** The task's number in its tube. */
  get id(): bigint {
    return this.#message.id;
  }

  /**
   * What it carries, as it was put: bytes, text or a JSON value; see `payloadKind`. Bytes are a view
   * of the message that the task came in with others: copy what is to be kept for long.
   */
  get payload(): PayloadValue {
    // A task that a worker was given always has one.
    this.#payload ??= fromPayload(this.#message.payload) as PayloadValue;
    return this.#payload;
  }

  /** Tells a text from a JSON string. */
  get payloadKind(): PayloadKind {
    return this.#message.payload?.content.case ?? "data";
  }

  /** The producer's names and values. */
  get attributes(): Readonly<Record<string, string>> {
    return this.#message.attributes;
  }

  /** How many times it was taken, this one included. */
  get attempt(): number {
    return this.#message.attempt;
  }

  /** Grows with every take of this task: systems it is written to can refuse a smaller one. */
  get fence(): bigint {
    return this.#message.fence;
  }

  /** 0 is taken first. In tubes without priorities it is 0. */
  get priority(): number {
    return this.#message.priority;
  }

  /** Empty: a group of its own. */
  get group(): string {
    return this.#message.group;
  }

  /** Empty: none. */
  get dedupKey(): string {
    return this.#message.dedupKey;
  }

  /** Why it was last released or buried. Empty: it never was, or nothing was said. */
  get reason(): string {
    return this.#message.reason;
  }

  /** When it was put. */
  get createTime(): Date {
    return dateOf(this.#message.createTime) ?? new Date(0);
  }

  /** When its ttl is over, as it was at the take. undefined: never. */
  get expireTime(): Date | undefined {
    return dateOf(this.#message.expireTime);
  }

  /** How long a take holds it, in milliseconds. undefined: as long as the server's default. */
  get ttrMs(): number | undefined {
    const { ttr } = this.#message;
    return ttr && durationMs(ttr);
  }
}

function dateOf(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
