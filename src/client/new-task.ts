import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { type NewTask as NewTaskMessage, NewTaskSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { invalid, UsherClientError, wholeMs } from "./errors.ts";
import { type PayloadValue, toPayload } from "./payload.ts";

/** A task to put. What is not given takes the tube's default. */
export interface NewTask {
  /** A string is put as text, bytes as bytes, anything else as JSON. */
  readonly payload: PayloadValue;
  /** Names and values that travel beside the payload. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** 0 is taken first. Timed kinds only. */
  readonly priority?: number | undefined;
  /** How long from now until it can be taken, in milliseconds. Timed kinds only. */
  readonly delayMs?: number | undefined;
  /** How long it lives, from now plus the delay, in milliseconds. Timed kinds only. */
  readonly ttlMs?: number | undefined;
  /** How long a worker may hold it without a touch, in milliseconds. Timed kinds only. */
  readonly ttrMs?: number | undefined;
  /** Tasks of one group run one at a time, in order. Grouped kinds only. */
  readonly group?: string | undefined;
  /** While a task with this key is alive, or in the tube's dedup window, none is put. */
  readonly dedupKey?: string | undefined;
}

/** The bytes that a task takes in a message besides its payload, attributes and names. */
const OVERHEAD_BYTES = 48;
/**
 * The largest message that servers accept by default. A larger one would break the stream for all.
 */
const MOST_BYTES = 16 * 1024 ** 2 - 1024;

/**
 * The message of a task and about how many bytes it takes. Throws INVALID_PARAMS for what cannot
 * be encoded, PAYLOAD_TOO_LARGE for what no server takes by default.
 */
export function toNewTask(task: NewTask): { message: NewTaskMessage; bytes: number } {
  const { payload, bytes: payloadBytes } = toPayload(task.payload);
  const message = create(NewTaskSchema);
  message.payload = payload;
  let bytes = OVERHEAD_BYTES + payloadBytes;
  const { attributes, priority, delayMs, ttlMs, ttrMs, group, dedupKey } = task;
  if (attributes !== undefined) {
    for (const [name, value] of Object.entries(attributes)) {
      bytes += 8 + Buffer.byteLength(name) + Buffer.byteLength(text(`attributes.${name}`, value));
    }
    message.attributes = { ...attributes };
  }
  if (priority !== undefined) message.priority = uint32("priority", priority);
  if (delayMs !== undefined) message.delay = duration("delayMs", delayMs);
  if (ttlMs !== undefined) message.ttl = duration("ttlMs", ttlMs);
  if (ttrMs !== undefined) message.ttr = duration("ttrMs", ttrMs);
  if (group !== undefined) message.group = text("group", group);
  if (dedupKey !== undefined) message.dedupKey = text("dedupKey", dedupKey);
  if (bytes > MOST_BYTES) {
    const error = `the task has about ${bytes} bytes and a request at most 16 MiB`;
    throw new UsherClientError("INVALID_ARGUMENT", "PAYLOAD_TOO_LARGE", error);
  }
  return { message, bytes };
}

function duration(field: string, ms: number): Duration {
  return durationFromMs(wholeMs(field, ms));
}

function uint32(field: string, value: number): number {
  if (value >>> 0 !== value) throw invalid(field, "must be a whole number from 0 to 4294967295");
  return value;
}

function text(field: string, value: string): string {
  if (typeof value !== "string") throw invalid(field, "must be a string");
  return value;
}
