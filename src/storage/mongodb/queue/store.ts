import type { Db, Document } from "mongodb";
import type { QueueStore } from "../../../queue/repository.ts";
import type { MongoDatabase } from "../database.ts";
import { GroupCommitter, type Holding } from "./group-committer.ts";
import { keptWrites, readKept } from "./kept-leases.ts";
import { ShardLoader } from "./loader.ts";
import { readPayloads } from "./payloads.ts";
import { writesOf } from "./writes.ts";

/** The stores of the shards that one instance owns. */
export interface ShardStores {
  /**
   * The logical session of a shard's transactions. The registry keeps it for the next owner, who
   * ends them.
   */
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
 * Longer than a replica set takes to elect another primary (10 to 15 s), so that an election costs
 * callers time and no errors. Callers that cannot wait so long have deadlines.
 */
const PATIENCE_MS = 30_000;
/**
 * Group committers, each with its part of the shards and one transaction at a time. While one waits
 * for the disk the other's writes go on: two were measured at 1.2 to 1.5 times what one does for
 * several busy shards. More of them would share fewer transactions.
 */
const COMMITTERS = 2;
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

    // MongoDB has limits of its own, and refuses what is beyond them.
    isFull: () => false,

    payloads: (keys) => readPayloads(db, shard, keys),

    async saveLeases(kept) {
      await committer.commit(holding, keptWrites(shard, kept));
    },

    async loadLeases() {
      const kept = await readKept(db, shard);
      // They are read outside of the transaction that removes them. Only the shard's owner changes
      // them, and the removal fails if this instance is not the owner any more.
      if (kept.leases.length + kept.sessions.length > 0) {
        await committer.commit(holding, keptWrites(shard, { leases: [], sessions: [] }));
      }
      return kept;
    },
  };
}
