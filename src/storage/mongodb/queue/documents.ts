import type { Document, Long } from "mongodb";
import type {
  DedupRecord,
  LeaseRecord,
  NewTaskRecord,
  Payload,
  SessionRecord,
  TaskProgress,
  TubeKind,
  TubeRecord,
} from "../../../queue/repository.ts";
import { idOf, numberOf } from "./shard-ids.ts";

/*
 * How records look as documents. A field without a value, such as no delay or no group, is absent
 * (`undefined` is not written) or null. Times are dates.
 */

/** The last moment that a JavaScript date can tell; a later time stays a number. */
const LAST_DATE = 8.64e15;

type Time = Date | number;

function timeOf(ms: number): Time | undefined {
  if (ms === Infinity) return undefined;
  return ms > LAST_DATE ? ms : new Date(ms);
}

function msOf(time: Time): number {
  return typeof time === "number" ? time : time.getTime();
}

function msOrNever(time: Time | null | undefined): number {
  return time === null || time === undefined ? Infinity : msOf(time);
}

/** The fields of a tube that may change; the others are written once. */
export function tubeChanges(tube: TubeRecord): Document {
  const { settings } = tube;
  const forever = tube.pausedUntil === Infinity;
  return {
    nextId: tube.nextId,
    paused: tube.pausedUntil !== 0,
    pausedUntil: tube.pausedUntil === 0 || forever ? null : timeOf(tube.pausedUntil),
    settings: {
      ...settings,
      defaultTtlMs: finite(settings.defaultTtlMs),
      defaultTtrMs: finite(settings.defaultTtrMs),
      retryBackoff: settings.retryBackoff,
    },
  };
}

export function tubeConstants(shard: number, tube: TubeRecord): Document {
  return {
    shard,
    name: tube.name,
    kind: tube.kind,
    temporary: tube.temporary,
    created: timeOf(tube.createdAt),
  };
}

export function tubeFrom(document: Document): TubeRecord {
  const { settings, paused, pausedUntil } = document;
  return {
    number: numberOf(document["_id"]),
    name: document["name"],
    kind: document["kind"] as TubeKind,
    temporary: document["temporary"],
    createdAt: msOf(document["created"]),
    settings: {
      capacity: settings.capacity,
      defaultPriority: settings.defaultPriority,
      defaultTtlMs: settings.defaultTtlMs ?? Infinity,
      defaultTtrMs: settings.defaultTtrMs ?? Infinity,
      defaultDelayMs: settings.defaultDelayMs,
      maxAttempts: settings.maxAttempts,
      retryBackoff: settings.retryBackoff ?? undefined,
      dedupWindowMs: settings.dedupWindowMs,
    },
    pausedUntil: paused ? msOrNever(pausedUntil) : 0,
    nextId: document["nextId"],
  };
}

function finite(ms: number): number | undefined {
  return ms === Infinity ? undefined : ms;
}

/** The payload comes last, under the name of its format. */
export function taskDocument(shard: number, task: NewTaskRecord): Document {
  const { format, value, attributes } = task.payload;
  return {
    _id: idOf(shard, task.key),
    tube: idOf(shard, task.tube),
    id: task.id,
    buried: task.buried ? true : undefined,
    priority: task.priority === 0 ? undefined : task.priority,
    created: timeOf(task.createdAt),
    ready: task.readyAt === 0 ? undefined : timeOf(task.readyAt),
    expires: timeOf(task.expiresAt),
    ttr: finite(task.ttrMs),
    attempts: task.attempts === 0 ? undefined : task.attempts,
    size: task.size,
    group: task.group === "" ? undefined : task.group,
    dedup: task.dedupKey === "" ? undefined : task.dedupKey,
    reason: task.reason === "" ? undefined : task.reason,
    // Pairs, since MongoDB and its drivers give a meaning to some names in a map.
    attributes: attributes === undefined ? undefined : Object.entries(attributes),
    data: format === "data" ? value : undefined,
    text: format === "text" ? value : undefined,
    json: format === "json" ? value : undefined,
  };
}

/** How many bytes a task's document has at most, with so many bytes for a character. */
export function taskBytes(task: NewTaskRecord, perCharacter: number): number {
  const { value, attributes } = task.payload;
  let texts = task.group.length + task.dedupKey.length + task.reason.length;
  let bytes = 400;
  if (typeof value === "string") texts += value.length;
  else bytes += value.length;
  if (attributes !== undefined) {
    for (const name in attributes) {
      texts += name.length + (attributes[name] as string).length;
      bytes += 40;
    }
  }
  return bytes + perCharacter * texts;
}

export function progressChanges(task: TaskProgress): Document {
  return {
    buried: task.buried,
    ready: task.readyAt === 0 ? null : timeOf(task.readyAt),
    expires: timeOf(task.expiresAt) ?? null,
    attempts: task.attempts,
    reason: task.reason === "" ? null : task.reason,
  };
}

export const payloadOnly = { attributes: 1, data: 1, text: 1, json: 1 } as const;

export function payloadFrom(document: Document): Payload {
  const pairs: [string, string][] | undefined = document["attributes"];
  // `fromEntries` defines own properties, `__proto__` among them.
  const attributes = pairs === undefined ? undefined : Object.fromEntries(pairs);
  for (const format of ["text", "json"] as const) {
    const value: string | undefined = document[format];
    if (value !== undefined) return { format, value, attributes };
  }
  // A copy: the driver gives a view that keeps its whole message in memory.
  return { format: "data", value: new Uint8Array(document["data"]), attributes };
}

export function dedupId(shard: number, { tube, key }: Pick<DedupRecord, "tube" | "key">): Document {
  return { tube: idOf(shard, tube), key };
}

export function dedupChanges(record: DedupRecord): Document {
  return { id: record.id, until: timeOf(record.until) };
}

export function dedupFrom(document: Document): DedupRecord {
  const { tube, key }: { tube: Long | number; key: string } = document["_id"];
  return { tube: numberOf(tube), key, id: document["id"], until: msOrNever(document["until"]) };
}

export function leaseDocument(shard: number, lease: LeaseRecord): Document {
  const { token, session } = lease;
  return {
    _id: { shard, token },
    tube: idOf(shard, lease.tube),
    id: lease.id,
    fence: lease.fence,
    attempts: lease.attempts,
    deadline: timeOf(lease.deadline),
    left: lease.leftMs,
    session: session === "" ? undefined : session,
  };
}

export function leaseFrom(document: Document): LeaseRecord {
  return {
    token: document["_id"].token,
    tube: numberOf(document["tube"]),
    id: document["id"],
    fence: document["fence"],
    attempts: document["attempts"],
    deadline: msOrNever(document["deadline"]),
    leftMs: document["left"] ?? Infinity,
    session: document["session"] ?? "",
  };
}

export function sessionDocument(shard: number, session: SessionRecord): Document {
  return {
    _id: { shard, id: session.id },
    ttl: session.ttlMs,
    expires: timeOf(session.expiresAt),
    left: session.leftMs,
  };
}

export function sessionFrom(document: Document): SessionRecord {
  return {
    id: document["_id"].id,
    ttlMs: document["ttl"],
    expiresAt: msOrNever(document["expires"]),
    leftMs: document["left"] ?? Infinity,
  };
}
