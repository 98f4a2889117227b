import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type {
  DedupRecord,
  LeaseRecord,
  Marks,
  NewTaskRecord,
  Payload,
  SessionRecord,
  TaskRecord,
  TubeKind,
  TubeRecord,
} from "../../../queue/repository.ts";

/*
 * How records look as rows. NULL is never, or none.
 */

type Row = Readonly<Record<string, SQLOutputValue>>;

/** A row of a statement that returns arrays: its columns in their order. */
export type Columns = readonly SQLOutputValue[];

/** All but the payload: what a start reads. */
export const taskColumns = [
  "key",
  "tube",
  "id",
  "buried",
  "priority",
  "created_at",
  "ready_at",
  "expires_at",
  "ttr",
  "attempts",
  "size",
  "group_name",
  "dedup_key",
  "reason",
] as const;

export const payloadColumns = ["format", "attributes", "payload"] as const;

/** In the order of `taskColumns` and `payloadColumns`. */
export function taskValues(task: NewTaskRecord): SQLInputValue[] {
  const { payload } = task;
  return [
    task.key,
    task.tube,
    task.id,
    task.buried ? 1 : 0,
    task.priority,
    task.createdAt,
    task.readyAt,
    timeOrNull(task.expiresAt),
    timeOrNull(task.ttrMs),
    task.attempts,
    task.size,
    task.group || null,
    task.dedupKey || null,
    task.reason || null,
    payload.format,
    payload.attributes === undefined ? null : JSON.stringify(payload.attributes),
    payload.value,
  ];
}

/** From the values of `taskColumns`. */
export function toTask(values: Columns): TaskRecord {
  return {
    key: values[0] as number,
    tube: values[1] as number,
    id: values[2] as number,
    buried: values[3] === 1,
    priority: values[4] as number,
    createdAt: values[5] as number,
    readyAt: values[6] as number,
    expiresAt: timeOf(values[7]),
    ttrMs: timeOf(values[8]),
    attempts: values[9] as number,
    size: values[10] as number,
    group: (values[11] ?? "") as string,
    dedupKey: (values[12] ?? "") as string,
    reason: (values[13] ?? "") as string,
  };
}

/** From the values of `payloadColumns`. */
export function toPayload([format, attributes, value]: Columns): Payload {
  return {
    format: format as Payload["format"],
    value: value as string | Uint8Array,
    attributes: attributes === null ? undefined : JSON.parse(String(attributes)),
  };
}

export function toMarks(row: Row): Marks {
  return {
    nextTube: Number(row["next_tube"]),
    nextKey: Number(row["next_key"]),
    nextFence: Number(row["next_fence"]),
  };
}

/** In the order of the columns of `tubes`. */
export function tubeValues(tube: TubeRecord): SQLInputValue[] {
  return [
    tube.number,
    tube.name,
    tube.kind,
    tube.temporary ? 1 : 0,
    tube.createdAt,
    tube.nextId,
    tube.pausedUntil === 0 ? 0 : 1,
    timeOrNull(tube.pausedUntil),
    JSON.stringify(tube.settings),
  ];
}

export function toTube(row: Row): TubeRecord {
  return {
    number: Number(row["number"]),
    name: String(row["name"]),
    kind: row["kind"] as TubeKind,
    temporary: row["temporary"] === 1,
    createdAt: Number(row["created_at"]),
    nextId: Number(row["next_id"]),
    pausedUntil: row["paused"] === 1 ? timeOf(row["paused_until"]) : 0,
    settings: { retryBackoff: undefined, ...JSON.parse(String(row["settings"]), neverForNull) },
  };
}

export function toDedup(row: Row): DedupRecord {
  return {
    tube: Number(row["tube"]),
    key: String(row["key"]),
    id: Number(row["id"]),
    until: Number(row["until"]),
  };
}

export function toLease(row: Row): LeaseRecord {
  return {
    token: String(row["token"]),
    tube: Number(row["tube"]),
    id: Number(row["id"]),
    fence: Number(row["fence"]),
    attempts: Number(row["attempts"]),
    deadline: timeOf(row["deadline"]),
    leftMs: timeOf(row["left_ms"]),
    session: String(row["session"]),
  };
}

export function toSession(row: Row): SessionRecord {
  return {
    id: String(row["id"]),
    ttlMs: Number(row["ttl"]),
    expiresAt: Number(row["expires_at"]),
    leftMs: timeOf(row["left_ms"]),
  };
}

/** JSON writes Infinity as null; of a tube's settings only times are ever infinite. */
function neverForNull(_key: string, value: unknown): unknown {
  return value === null ? Infinity : value;
}

export function timeOrNull(ms: number): number | null {
  return ms === Infinity ? null : ms;
}

function timeOf(value: SQLOutputValue | undefined): number {
  return value === null || value === undefined ? Infinity : Number(value);
}
