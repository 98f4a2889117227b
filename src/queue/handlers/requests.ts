import { toJsonString } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type {
  NewTask as NewTaskMessage,
  Payload as PayloadMessage,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import { TaskState } from "../../../gen/usher/queue/v1/task_pb.ts";
import { invalid, UsherError } from "../../errors.ts";
import { durationMs, positiveDurationMs, textOf } from "../../fields.ts";
import { MAX_BATCH } from "../limits.ts";
import type { NewTask } from "../putting.ts";
import type { Payload } from "../repository.ts";
import { type State, state } from "../transitions.ts";

const TUBE_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const KEY_BYTES = 256;
const REASON_BYTES = 4_096;
/** Longer than any session id or lease that was ever given out. */
const TOKEN_BYTES = 256;

export function tubeName(field: string, name: string): string {
  if (name === "") throw invalid(field, "is required");
  if (!TUBE_NAME.test(name)) throw invalid(field, "must be 1 to 64 of A-Z a-z 0-9 _ . -");
  return name;
}

export function taskId(field: string, id: bigint): number {
  if (id === 0n) throw invalid(field, "is required");
  // Ids are counted in memory as doubles; none was ever this large.
  return Number(id > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : id);
}

export function leaseToken(field: string, lease: string): string {
  if (lease === "") throw invalid(field, "is required");
  return lease;
}

export function sessionId(field: string, id: string): string {
  return textOf(field, id, TOKEN_BYTES);
}

export function reasonText(field: string, reason: string): string {
  return textOf(field, reason, REASON_BYTES);
}

/** The number of entries of a batch: 1 to 10,000. */
export function batch<T>(field: string, entries: readonly T[]): readonly T[] {
  if (entries.length === 0) throw invalid(field, "is required");
  if (entries.length > MAX_BATCH) throw invalid(field, `has more than ${MAX_BATCH} entries`);
  return entries;
}

/** 0 is the default. */
export function countUpTo(field: string, count: number, most: number, byDefault: number): number {
  if (count > most) throw invalid(field, `must be at most ${most}`);
  return count === 0 ? byDefault : count;
}

/** The state that a list is about; undefined: any. */
export function stateFilter(field: string, wanted: TaskState): State | undefined {
  switch (wanted) {
    case TaskState.UNSPECIFIED:
      return undefined;
    case TaskState.READY:
      return state.READY;
    case TaskState.LEASED:
      return state.LEASED;
    case TaskState.DELAYED:
      return state.DELAYED;
    case TaskState.BURIED:
      return state.BURIED;
    case TaskState.DONE:
      throw invalid(field, "a task that is done is not there to be listed");
    default:
      throw invalid(field, "is not a state");
  }
}

/** A task to put. `maxBytes` limits payload and attributes together. */
export function newTask(
  field: string,
  task: NewTaskMessage | undefined,
  maxBytes: number,
): NewTask {
  if (task === undefined) throw invalid(field, "is required");
  const payload = payloadOf(`${field}.payload`, task.payload, task.attributes);
  const size = sizeOf(payload);
  if (size > maxBytes) {
    const description = `is ${size} bytes with its attributes, and the limit is ${maxBytes}`;
    throw new UsherError("PAYLOAD_TOO_LARGE", {
      message: `${field}.payload: ${description}`,
      violations: [{ field: `${field}.payload`, description }],
    });
  }
  return {
    payload,
    size,
    priority: task.priority,
    delayMs: durationMs(`${field}.delay`, task.delay),
    ttlMs: positiveDurationMs(`${field}.ttl`, task.ttl),
    ttrMs: positiveDurationMs(`${field}.ttr`, task.ttr),
    group: textOf(`${field}.group`, task.group, KEY_BYTES),
    dedupKey: textOf(`${field}.dedup_key`, task.dedupKey, KEY_BYTES),
  };
}

function payloadOf(
  field: string,
  payload: PayloadMessage | undefined,
  attributes: Record<string, string>,
): Payload {
  const content = payload?.content;
  const given = hasAny(attributes) ? attributes : undefined;
  switch (content?.case) {
    case "data":
      return { format: "data", value: content.value, attributes: given };
    case "text":
      return { format: "text", value: content.value, attributes: given };
    case "json":
      try {
        return {
          format: "json",
          value: toJsonString(ValueSchema, content.value),
          attributes: given,
        };
      } catch {
        // No kind is set, or a number that JSON does not have.
        throw invalid(`${field}.json`, "is not a JSON value");
      }
    default:
      throw invalid(field, "is required: one of data, text, json");
  }
}

function sizeOf({ value, attributes }: Payload): number {
  let size = typeof value === "string" ? Buffer.byteLength(value) : value.byteLength;
  if (attributes === undefined) return size;
  for (const [key, text] of Object.entries(attributes)) {
    size += Buffer.byteLength(key) + Buffer.byteLength(text);
  }
  return size;
}

function hasAny(attributes: Record<string, string>): boolean {
  for (const _ in attributes) return true;
  return false;
}
