import type { Collection, Db, Document } from "mongodb";
import { SHARDS } from "../../../cluster/registry.ts";

/** The collections of the registry of shards. */
export const clusterCollections = { instances: "instances", shards: "shards" } as const;

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
  /** By the database's clock. Every beat sets it anew. */
  readonly expires: Date;
  /** How long the instance may be silent, in milliseconds. */
  readonly life: number;
}

export function shardsOf(db: Db): Collection<ShardDocument> {
  return db.collection<ShardDocument>(clusterCollections.shards);
}

export function instancesOf(db: Db): Collection<InstanceDocument> {
  return db.collection<InstanceDocument>(clusterCollections.instances);
}

/** Those of these instances whose life is not over, by the clock of the database. */
export async function livingInstances(
  db: Db,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const living = { _id: { $in: [...ids] }, $expr: { $gt: ["$expires", "$$NOW"] } };
  const found = await instancesOf(db)
    .find(living, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map(({ _id }) => _id));
}

/** An instance that no other has removed is forgotten so long after its life ended. */
const FORGET_SECONDS = 3_600;

/** Makes a document for each shard, and the index by which instances are forgotten. */
export async function ensureShards(db: Db): Promise<void> {
  await instancesOf(db).createIndex({ expires: 1 }, { expireAfterSeconds: FORGET_SECONDS });
  const present = await shardsOf(db).countDocuments();
  if (present === SHARDS) return;
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
