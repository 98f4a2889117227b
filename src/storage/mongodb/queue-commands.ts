import { BSON, type Document } from "mongodb";
import { UsherError } from "../../errors.ts";
import type { KeptLeases, Marks, QueueChanges } from "../../queue/repository.ts";
import {
  dedupChanges,
  dedupId,
  leaseDocument,
  progressChanges,
  sessionDocument,
  taskBytes,
  taskDocument,
  tubeChanges,
  tubeConstants,
} from "./queue-documents.ts";
import { dedupKeysOfTube, idOf, keptOf } from "./queue-keys.ts";
import { collections } from "./queue-schema.ts";

/** MongoDB takes no larger document. */
const DOCUMENT_BYTES = 16 * 1024 * 1024;
/** Below what MongoDB takes in one message (48 MB) and one command (100,000 writes). */
const COMMAND_BYTES = 32 * 1024 * 1024;
const COMMAND_WRITES = 50_000;

/**
 * The largest task, payload and attributes, of which a document can be made: as large as MongoDB
 * takes one, less what there is around them.
 */
export const LARGEST_TASK = DOCUMENT_BYTES - 64 * 1024;

/** What one commit writes, apart from its shard's own document; in this order. */
export interface Writes {
  readonly tubes: Document[];
  readonly inserts: Document[];
  /** How many bytes each insert takes at most. */
  readonly insertBytes: number[];
  readonly updates: Document[];
  readonly removes: Document[];
  readonly removedDedup: Document[];
  readonly dedup: Document[];
  readonly removedTubes: Document[];
  readonly removedLeases: Document[];
  readonly removedSessions: Document[];
  readonly leases: Document[];
  readonly sessions: Document[];
  /** How many bytes and how many single writes all of it is, about. */
  bytes: number;
  count: number;
  /** What changes of the shard's document. */
  readonly shard: { marks?: Marks; kept?: boolean };
}

function noWrites(): Writes {
  return {
    tubes: [],
    inserts: [],
    insertBytes: [],
    updates: [],
    removes: [],
    removedDedup: [],
    dedup: [],
    removedTubes: [],
    removedLeases: [],
    removedSessions: [],
    leases: [],
    sessions: [],
    bytes: 0,
    count: 0,
    shard: {},
  };
}

/** Throws STORAGE_UNAVAILABLE for a task that is too large for a document. */
export function writesOf(shard: number, changes: QueueChanges): Writes {
  const writes = noWrites();
  for (const tube of changes.tubes) {
    const u = { $set: tubeChanges(tube), $setOnInsert: tubeConstants(shard, tube) };
    writes.tubes.push({ q: { _id: idOf(shard, tube.number) }, u, upsert: true });
  }
  for (const task of changes.inserts) {
    const document = taskDocument(shard, task);
    let bytes = taskBytes(task);
    if (bytes > DOCUMENT_BYTES) {
      bytes = BSON.calculateObjectSize(document, { ignoreUndefined: true });
      if (bytes > DOCUMENT_BYTES) throw tooLarge(bytes);
    }
    writes.inserts.push(document);
    writes.insertBytes.push(bytes);
    writes.bytes += bytes;
  }
  for (const task of changes.updates) {
    writes.updates.push({ q: { _id: idOf(shard, task.key) }, u: { $set: progressChanges(task) } });
  }
  if (changes.removes.length > 0) removesOf(shard, changes.removes, writes.removes);
  for (const record of changes.removedDedup) {
    writes.removedDedup.push({ q: { _id: dedupId(shard, record) }, limit: 1 });
  }
  for (const record of changes.dedup) {
    const q = { _id: dedupId(shard, record) };
    writes.dedup.push({ q, u: { $set: dedupChanges(record) }, upsert: true });
  }
  for (const number of changes.removedTubes) {
    writes.removedTubes.push({ q: { _id: idOf(shard, number) }, limit: 1 });
    writes.removedDedup.push({ q: { _id: dedupKeysOfTube(shard, number) }, limit: 0 });
  }
  if (changes.marks !== undefined) writes.shard.marks = changes.marks;
  writes.count =
    writes.inserts.length + writes.updates.length + writes.removes.length + writes.dedup.length;
  writes.bytes += 200 * (writes.count - writes.inserts.length);
  return writes;
}

/** Keeps what is given in place of all that was kept; nothing: keeps nothing. */
export function keptWrites(shard: number, kept: KeptLeases): Writes {
  const writes = noWrites();
  const all = { q: { _id: keptOf(shard) }, limit: 0 };
  writes.removedLeases.push(all);
  writes.removedSessions.push(all);
  for (const lease of kept.leases) writes.leases.push(leaseDocument(shard, lease));
  for (const session of kept.sessions) writes.sessions.push(sessionDocument(shard, session));
  writes.count = writes.leases.length + writes.sessions.length;
  writes.bytes = 1_000 * writes.count;
  writes.shard.kept = writes.count > 0;
  return writes;
}

/** A run of consecutive keys is one range, and all keys that stand alone are one list. */
function removesOf(shard: number, keys: readonly number[], removes: Document[]): void {
  const sorted = [...keys].sort((a, b) => a - b);
  const single: Document[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (end + 1 < sorted.length && (sorted[end + 1] as number) <= (sorted[end] as number) + 1) {
      end++;
    }
    const first = idOf(shard, sorted[start] as number);
    if (sorted[start] === sorted[end]) single.push(first);
    else {
      const last = idOf(shard, sorted[end] as number);
      removes.push({ q: { _id: { $gte: first, $lte: last } }, limit: 0 });
    }
    start = end + 1;
  }
  if (single.length > 0) removes.push({ q: { _id: { $in: single } }, limit: 0 });
}

/** The commands that write all of these, of any shards; the shards' own documents apart. */
export function commandsOf(all: readonly Writes[]): Document[] {
  const commands: Document[] = [];
  const gather = (of: (writes: Writes) => Document[]): Document[] =>
    all.length === 1 ? of(all[0] as Writes) : all.flatMap(of);
  const add = (verb: string, collection: string, operand: string, items: Document[]): void => {
    for (let at = 0; at < items.length; at += COMMAND_WRITES) {
      const some = items.length <= COMMAND_WRITES ? items : items.slice(at, at + COMMAND_WRITES);
      commands.push({ [verb]: collection, ordered: operand === "updates", [operand]: some });
    }
  };
  add(
    "update",
    collections.tubes,
    "updates",
    gather(({ tubes }) => tubes),
  );
  addInserts(all, commands);
  add(
    "update",
    collections.tasks,
    "updates",
    gather(({ updates }) => updates),
  );
  add(
    "delete",
    collections.tasks,
    "deletes",
    gather(({ removes }) => removes),
  );
  add(
    "delete",
    collections.dedupKeys,
    "deletes",
    gather(({ removedDedup }) => removedDedup),
  );
  add(
    "update",
    collections.dedupKeys,
    "updates",
    gather(({ dedup }) => dedup),
  );
  add(
    "delete",
    collections.tubes,
    "deletes",
    gather(({ removedTubes }) => removedTubes),
  );
  add(
    "delete",
    collections.keptLeases,
    "deletes",
    gather(({ removedLeases }) => removedLeases),
  );
  add(
    "delete",
    collections.keptSessions,
    "deletes",
    gather(({ removedSessions: r }) => r),
  );
  add(
    "insert",
    collections.keptLeases,
    "documents",
    gather(({ leases }) => leases),
  );
  add(
    "insert",
    collections.keptSessions,
    "documents",
    gather(({ sessions }) => sessions),
  );
  return commands;
}

function addInserts(all: readonly Writes[], commands: Document[]): void {
  let documents: Document[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (documents.length === 0) return;
    commands.push({ insert: collections.tasks, ordered: false, documents });
    documents = [];
    bytes = 0;
  };
  for (const { inserts, insertBytes } of all) {
    for (let index = 0; index < inserts.length; index++) {
      const more = insertBytes[index] as number;
      if (bytes + more > COMMAND_BYTES || documents.length === COMMAND_WRITES) flush();
      documents.push(inserts[index] as Document);
      bytes += more;
    }
  }
  flush();
}

function tooLarge(bytes: number): UsherError {
  return new UsherError("STORAGE_UNAVAILABLE", {
    message: `a task of ${bytes} bytes is larger than MongoDB takes in one document (${DOCUMENT_BYTES})`,
  });
}
