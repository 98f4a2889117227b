import { BSON, type Document } from "mongodb";
import { UsherError } from "../../../base/errors.ts";
import type { Marks, QueueChanges } from "../../../queue/repository.ts";
import { eachRunOfKeys } from "../../key-runs.ts";
import {
  dedupChanges,
  dedupId,
  progressChanges,
  taskBytes,
  taskDocument,
  tubeChanges,
  tubeConstants,
} from "./documents.ts";
import { dedupKeysOfTube, idOf } from "./shard-ids.ts";

/** MongoDB takes no larger document. */
const DOCUMENT_BYTES = 16 * 1024 * 1024;

/** The largest task, payload and attributes, that fits into a document beside its other fields. */
export const LARGEST_TASK = DOCUMENT_BYTES - 64 * 1024;

/** How many bytes a character of a text takes at most. */
export const UTF8 = 3;

/** Documents, or statements, and how many bytes each one takes at most. */
class Statements {
  readonly items: Document[] = [];
  readonly bytes: number[] = [];

  push(item: Document, bytes: number): void {
    this.items.push(item);
    this.bytes.push(bytes);
  }
}

/** What one commit writes, by kind of write and collection. */
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

/**
 * Removes the last key of a run of consecutive keys by its id, and those before it as a range.
 * MongoDB keeps removed documents in its index for five minutes. A range that ends with a removed
 * task is followed by them, and the scan of every commit would walk over all of them. Here a range
 * ends before a task that is still there, and a removal by id scans nothing.
 */
function addRemoves(shard: number, keys: readonly number[], removes: Statements): void {
  eachRunOfKeys(Float64Array.from(keys).sort(), (start, end) => {
    const last = idOf(shard, end);
    if (start !== end) {
      const first = idOf(shard, start);
      removes.push({ q: { _id: { $gte: first, $lt: last } }, limit: 0 }, 120);
    }
    removes.push({ q: { _id: last }, limit: 1 }, 60);
  });
}

function tooLarge(bytes: number): UsherError {
  return new UsherError("STORAGE_UNAVAILABLE", {
    message: `a task of ${bytes} bytes is larger than MongoDB takes in one document (${DOCUMENT_BYTES})`,
  });
}
