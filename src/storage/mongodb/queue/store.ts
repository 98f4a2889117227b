import type { Db, Document } from "mongodb";
import type { KeptLeases, Payload, QueueStore } from "../../../queue/repository.ts";
import { type MongoDatabase, toUsherError } from "../database.ts";
import { GroupCommitter, type Holding } from "./committer.ts";
import { leaseFrom, payloadFrom, payloadOnly, sessionFrom } from "./documents.ts";
import { idOf, keptOf, numberOf } from "./keys.ts";
import { ShardLoader } from "./loader.ts";
import { collections, shardsOf } from "./schema.ts";
import { keptWrites, writesOf } from "./writes.ts";

/** The stores of the shards that one instance owns. */
export interface ShardStores {
  /** By which others can end what this instance has begun for a shard; the registry keeps it. */
  sessionOf(shard: number): Document;
  /**
   * The store of a shard that this instance has claimed, at the epoch that the claim gave. `onLost`
   * is called once, before any of its commits is refused with SHARD_UNAVAILABLE.
   */
  store(shard: number, epoch: number, onLost: () => void): QueueStore;
  /** Waits for the commits under way. */
  close(): Promise<void>;
}

export interface ShardStoreOptions {
  /** The id of the instance in the registry. */
  readonly owner: string;
  /** How long a commit is tried again while the database is away; 30 s. */
  readonly patienceMs?: number;
}

/**
 * Longer than a replica set takes to elect another primary (10 to 15 s), so that this costs callers
 * time and no errors; those who cannot wait so long have deadlines of their own.
 */
const PATIENCE_MS = 30_000;
/**
 * Group committers, each with its part of the shards and one transaction at a time. While one waits
 * for the disk the other's writes go on: two were measured at 1.2 to 1.5 times what one does for
 * several busy shards. More of them would share less.
 */
const COMMITTERS = 2;
/** Keys in one query. */
const PAYLOADS = 10_000;

export function createShardStores(
  database: MongoDatabase,
  options: ShardStoreOptions,
): ShardStores {
  const { db } = database;
  const { owner, patienceMs = PATIENCE_MS } = options;
  const committers = Array.from(
    { length: COMMITTERS },
    () => new GroupCommitter(database, { owner, patienceMs }),
  );
  const committerOf = (shard: number): GroupCommitter =>
    committers[shard % COMMITTERS] as GroupCommitter;
  const loader = new ShardLoader(db, owner);
  return {
    sessionOf: (shard) => committerOf(shard).sessionId,
    store(shard, epoch, onLost) {
      return createStore(db, committerOf(shard), loader, { shard, epoch, lost: false, onLost });
    },
    async close() {
      await Promise.all(committers.map((committer) => committer.close()));
    },
  };
}

function createStore(
  db: Db,
  committer: GroupCommitter,
  loader: ShardLoader,
  holding: Holding,
): QueueStore {
  const { shard } = holding;
  return {
    open: (recovery) => loader.open(holding, recovery),

    async commit(changes) {
      await committer.commit(holding, writesOf(shard, changes));
    },

    async payloads(keys) {
      try {
        const found = new Map<number, Payload>();
        for (let at = 0; at < keys.length; at += PAYLOADS) {
          const ids = keys.slice(at, at + PAYLOADS).map((key) => idOf(shard, key));
          const cursor = db
            .collection(collections.tasks)
            .find(
              { _id: { $in: ids as never[] } },
              { projection: payloadOnly, promoteBuffers: true },
            );
          for await (const document of cursor) {
            found.set(numberOf(document._id as never), payloadFrom(document));
          }
        }
        return found;
      } catch (error) {
        throw toUsherError(error);
      }
    },

    async saveLeases(kept) {
      await committer.commit(holding, keptWrites(shard, kept));
    },

    async loadLeases() {
      const kept = await readKept(db, shard);
      // Read outside of the transaction that removes them: nobody but this owner, if it still is
      // the owner then, could have changed them in between.
      if (kept.leases.length + kept.sessions.length > 0) {
        await committer.commit(holding, keptWrites(shard, { leases: [], sessions: [] }));
      }
      return kept;
    },
  };
}

async function readKept(db: Db, shard: number): Promise<KeptLeases> {
  try {
    const document = await shardsOf(db).findOne({ _id: shard }, { projection: { kept: 1 } });
    if (document?.kept !== true) return { leases: [], sessions: [] };
    const filter = { _id: keptOf(shard) as never };
    const leases = await db.collection(collections.keptLeases).find(filter).toArray();
    const sessions = await db.collection(collections.keptSessions).find(filter).toArray();
    return { leases: leases.map(leaseFrom), sessions: sessions.map(sessionFrom) };
  } catch (error) {
    throw toUsherError(error);
  }
}
