import type { Db } from "mongodb";
import { clusterCollections, ensureShards } from "../cluster/schema.ts";
import { toUsherError } from "../database.ts";
import { checkVersion, createCollections, SCHEMA_COLLECTION } from "../schema.ts";

/** The collections of QueueService. */
export const collections = {
  tubes: "tubes",
  tasks: "tasks",
  dedupKeys: "dedup_keys",
  keptLeases: "kept_leases",
  keptSessions: "kept_sessions",
} as const;

/** Grows when documents change so that an Usher from before would misread them. */
const VERSION = 1;

/**
 * Makes what is not there yet: collections, indexes, and a document for each shard. Made up front,
 * since making a collection in a transaction is slow and conflicts with others that do. Any number
 * of instances may do so at once, at every start. Rejects with StorageOpenError if what is there is
 * of another version.
 */
export async function ensureQueueCollections(db: Db): Promise<void> {
  try {
    const names = [SCHEMA_COLLECTION, ...Object.values(collections)];
    await createCollections(db, [...names, ...Object.values(clusterCollections)]);
    await checkVersion(db, { id: "queue", called: "queues", version: VERSION });
    await db.collection(collections.tubes).createIndex({ name: 1 }, { unique: true });
    await ensureShards(db);
  } catch (error) {
    throw toUsherError(error);
  }
}
