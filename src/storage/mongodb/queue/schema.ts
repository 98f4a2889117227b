import type { Collection, Db, Document } from "mongodb";
import { SHARDS } from "../../../cluster/registry.ts";
import { toUsherError } from "../database.ts";
import { checkVersion, createCollections, SCHEMA_COLLECTION } from "../schema.ts";

/** The collections of QueueService and of the registry of its shards. */
export const collections = {
  schema: SCHEMA_COLLECTION,
  instances: "instances",
  shards: "shards",
  tubes: "tubes",
  tasks: "tasks",
  dedupKeys: "dedup_keys",
  keptLeases: "kept_leases",
  keptSessions: "kept_sessions",
} as const;

/** One part of the tubes: who may write to it, and the counters of its engine. */
export interface ShardDocument {
  readonly _id: number;
  readonly epoch: number;
  /** The id of an instance; empty: nobody. */
  readonly owner: string;
  readonly heir: string;
  /** The logical session in which the owner's transactions run; absent without an owner. */
  readonly session?: Document;
  /** Grows with every commit, so that each one is a write of this document; absent: none yet. */
  readonly commits?: number;
  readonly marks?: { nextTube: number; nextKey: number; nextFence: number };
  /** Whether there are leases or sessions of a clean stop. */
  readonly kept?: boolean;
}

export interface InstanceDocument {
  readonly _id: string;
  readonly address: string;
  readonly expires: Date;
}

export function shardsOf(db: Db): Collection<ShardDocument> {
  return db.collection<ShardDocument>(collections.shards);
}

export function instancesOf(db: Db): Collection<InstanceDocument> {
  return db.collection<InstanceDocument>(collections.instances);
}

/** Long after its life ended an instance is forgotten, where no other had a reason to do it. */
const FORGET_SECONDS = 3_600;
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
    await createCollections(db, Object.values(collections));
    await checkVersion(db, { id: "queue", called: "queues", version: VERSION });
    await db.collection(collections.tubes).createIndex({ name: 1 }, { unique: true });
    await instancesOf(db).createIndex({ expires: 1 }, { expireAfterSeconds: FORGET_SECONDS });
    const present = await shardsOf(db).countDocuments();
    if (present < SHARDS) {
      await shardsOf(db).bulkWrite(
        Array.from({ length: SHARDS }, (_, shard) => ({
          updateOne: {
            filter: { _id: shard },
            update: { $setOnInsert: { epoch: 0, owner: "", heir: "" } },
            upsert: true,
          },
        })),
        { ordered: false },
      );
    }
  } catch (error) {
    throw toUsherError(error);
  }
}
