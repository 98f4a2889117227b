import { toJsonString } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type {
  NewTask as NewTaskMessage,
  Payload as PayloadMessage,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import { TaskState } from "../../../gen/usher/queue/v1/task_pb.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import { durationMs, pageStart, positiveDurationMs, textOf } from "../../base/request-fields.ts";
import type { Payload } from "../repository.ts";
import { MAX_BATCH } from "../rules/limits.ts";
import type { NewTask } from "../rules/new-task.ts";
import { type State, state } from "../structures/task-state.ts";
import { jsonBytes } from "./json-payload-size.ts";

const TUBE_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const KEY_BYTES = 256;
const REASON_BYTES = 4_096;
/** What an attribute takes in an answer beside its own bytes. */
const ATTRIBUTE_OVERHEAD_BYTES = 8;
/**
 * Levels of lists and objects in a JSON payload. Each is up to three messages of protobuf, whose
 * readers go 100 deep, and a worker must be able to read what it is sent.
 */
const DEEPEST_JSON = 30;
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

export function atMost(field: string, count: number, most: number): number {
  if (count > most) throw invalid(field, `must be at most ${most}`);
  return count;
}

/** 0 is the default. */
export function countUpTo(field: string, count: number, most: number, byDefault: number): number {
  return atMost(field, count, most) === 0 ? byDefault : count;
}

/** The id to go on after in a list by ids; 0 at its start. */
export function pageStartId(field: string, token: string): number {
  const after = pageStart(field, token) ?? 0;
  if (typeof after === "number" && after >= 0) return after;
  throw invalid(field, "is not a token of this list");
}

/** The name to go on after in a list by names; empty at its start. */
export function pageStartName(field: string, token: string): string {
  const after = pageStart(field, token) ?? "";
  if (typeof after === "string") return after;
  throw invalid(field, "is not a token of this list");
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
  const attributes = attributeBytes(payload.attributes);
  const bytes = contentBytes(payload, task.payload) + attributes.bytes;
  if (bytes > maxBytes) {
    const form = payload.format === "json" ? " as protobuf" : "";
    const description = `is ${bytes} bytes${form} with its attributes, and the limit is ${maxBytes}`;
    throw new UsherError("PAYLOAD_TOO_LARGE", {
      message: `${field}.payload: ${description}`,
      violations: [{ field: `${field}.payload`, description }],
    });
  }
  return {
    payload,
    size: bytes + attributes.count * ATTRIBUTE_OVERHEAD_BYTES,
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
      if (isDeeper(content.value, DEEPEST_JSON)) {
        throw invalid(`${field}.json`, `is nested deeper than ${DEEPEST_JSON} levels`);
      }
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

function isDeeper({ kind }: Value, levels: number): boolean {
  if (kind.case !== "listValue" && kind.case !== "structValue") return false;
  if (levels === 0) return true;
  const inner = kind.case === "listValue" ? kind.value.values : Object.values(kind.value.fields);
  return inner.some((value) => isDeeper(value, levels - 1));
}

function contentBytes({ value }: Payload, message: PayloadMessage | undefined): number {
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : value.byteLength;
  const content = message?.content;
  return content?.case === "json" ? Math.max(bytes, jsonBytes(content.value)) : bytes;
}

function attributeBytes(attributes: Payload["attributes"]): { bytes: number; count: number } {
  let bytes = 0;
  let count = 0;
  if (attributes === undefined) return { bytes, count };
  for (const [key, text] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
    count++;
  }
  return { bytes, count };
}

function hasAny(attributes: Record<string, string>): boolean {
  for (const _ in attributes) return true;
  return false;
}
