import { BSON, type Document } from "mongodb";
import { UsherError } from "../../../base/errors.ts";
import type { KeptLeases, Marks, QueueChanges } from "../../../queue/repository.ts";
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
} from "./documents.ts";
import { dedupKeysOfTube, idOf, keptOf } from "./keys.ts";

/** MongoDB takes no larger document. */
const DOCUMENT_BYTES = 16 * 1024 * 1024;

/**
 * The largest task, payload and attributes, of which a document can be made: as large as MongoDB
 * takes one, less what there is around them.
 */
export const LARGEST_TASK = DOCUMENT_BYTES - 64 * 1024;

/** How many bytes a character of a text takes at most. */
const UTF8 = 3;

/** Documents, or statements, and how many bytes each one takes at most. */
class Statements {
  readonly items: Document[] = [];
  readonly bytes: number[] = [];

  push(item: Document, bytes: number): void {
    this.items.push(item);
    this.bytes.push(bytes);
  }
}

/** What one commit writes, by what is done to what. */
export class Writes {
  readonly tubes = new Statements();
  readonly inserts = new Statements();
  readonly updates = new Statements();
  readonly removes = new Statements();
  readonly removedDedup = new Statements();
  readonly dedup = new Statements();
  readonly removedTubes = new Statements();
  readonly removedTubesDedup = new Statements();
  readonly removedLeases = new Statements();
  readonly removedSessions = new Statements();
  readonly leases = new Statements();
  readonly sessions = new Statements();
  /** What changes of the shard's document. */
  readonly shard: { marks?: Marks; kept?: boolean } = {};
}

/** Throws STORAGE_UNAVAILABLE for a task that is too large for a document. */
export function writesOf(shard: number, changes: QueueChanges): Writes {
  const writes = new Writes();
  for (const tube of changes.tubes) {
    const u = { $set: tubeChanges(tube), $setOnInsert: tubeConstants(shard, tube) };
    const q = { _id: idOf(shard, tube.number) };
    writes.tubes.push({ q, u, upsert: true }, 1_000 + UTF8 * tube.name.length);
  }
  for (const task of changes.inserts) {
    const document = taskDocument(shard, task);
    let bytes = taskBytes(task, UTF8);
    if (bytes > DOCUMENT_BYTES) {
      bytes = BSON.calculateObjectSize(document, { ignoreUndefined: true });
      if (bytes > DOCUMENT_BYTES) throw tooLarge(bytes);
    }
    writes.inserts.push(document, bytes);
  }
  for (const task of changes.updates) {
    const statement = { q: { _id: idOf(shard, task.key) }, u: { $set: progressChanges(task) } };
    writes.updates.push(statement, 200 + UTF8 * task.reason.length);
  }
  if (changes.removes.length > 0) addRemoves(shard, changes.removes, writes.removes);
  for (const record of changes.removedDedup) {
    const statement = { q: { _id: dedupId(shard, record) }, limit: 1 };
    writes.removedDedup.push(statement, 100 + UTF8 * record.key.length);
  }
  for (const record of changes.dedup) {
    const q = { _id: dedupId(shard, record) };
    const statement = { q, u: { $set: dedupChanges(record) }, upsert: true };
    writes.dedup.push(statement, 200 + UTF8 * record.key.length);
  }
  for (const number of changes.removedTubes) {
    writes.removedTubes.push({ q: { _id: idOf(shard, number) }, limit: 1 }, 100);
    const keys = dedupKeysOfTube(shard, number);
    writes.removedTubesDedup.push({ q: { _id: keys }, limit: 0 }, 200);
  }
  if (changes.marks !== undefined) writes.shard.marks = changes.marks;
  return writes;
}

/** Keeps what is given in place of all that was kept; nothing: keeps nothing. */
export function keptWrites(shard: number, { leases, sessions }: KeptLeases): Writes {
  const writes = new Writes();
  const all = { q: { _id: keptOf(shard) }, limit: 0 };
  writes.removedLeases.push(all, 100);
  writes.removedSessions.push(all, 100);
  for (const lease of leases) {
    const texts = lease.token.length + lease.session.length;
    writes.leases.push(leaseDocument(shard, lease), 300 + UTF8 * texts);
  }
  for (const session of sessions) {
    writes.sessions.push(sessionDocument(shard, session), 200 + UTF8 * session.id.length);
  }
  writes.shard.kept = leases.length + sessions.length > 0;
  return writes;
}

/**
 * A run of consecutive keys is a range up to its last key, and that one is removed by itself. A scan
 * that has removed the last task of a shard looks on for another, and MongoDB keeps what was removed
 * in the last five minutes where it looks: each commit would walk over all of it. This way a range
 * ends at a task that is there, and what is removed by its own id is not scanned for.
 */
function addRemoves(shard: number, keys: readonly number[], removes: Statements): void {
  const sorted = Float64Array.from(keys).sort();
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (end + 1 < sorted.length && (sorted[end + 1] as number) <= (sorted[end] as number) + 1) {
      end++;
    }
    const last = idOf(shard, sorted[end] as number);
    if (sorted[start] !== sorted[end]) {
      const first = idOf(shard, sorted[start] as number);
      removes.push({ q: { _id: { $gte: first, $lt: last } }, limit: 0 }, 120);
    }
    removes.push({ q: { _id: last }, limit: 1 }, 60);
    start = end + 1;
  }
}

function tooLarge(bytes: number): UsherError {
  return new UsherError("STORAGE_UNAVAILABLE", {
    message: `a task of ${bytes} bytes is larger than MongoDB takes in one document (${DOCUMENT_BYTES})`,
  });
}
