import type { Db, Document } from "mongodb";
import type { ClusterView, ShardRecord, ShardRegistry } from "../../../cluster/registry.ts";
import { toUsherError } from "../database.ts";
import { Lives, type SeenInstance, withTimeLeft } from "./lives.ts";
import { clusterCollections, instancesOf, type ShardDocument, shardsOf } from "./schema.ts";

export interface ShardRegistryOptions {
  /** The id of this instance: random, new for each start. */
  readonly id: string;
  /** The logical session of a shard's transactions, for the one who takes the shard over. */
  readonly sessionOf: (shard: number) => Document;
}

/** How long a claim waits for another's transaction before it ends that once more. */
const CLAIM_MS = 1_000;
const CLAIM_ATTEMPTS = 10;
const MAX_TIME_EXPIRED = 50;

/**
 * The registry in MongoDB. An instance may die at any point of any step: the next claim takes up
 * what it leaves behind.
 */
export function createShardRegistry(db: Db, options: ShardRegistryOptions): ShardRegistry {
  const { id, sessionOf } = options;
  const instances = instancesOf(db);
  const shards = shardsOf(db);
  const lives = new Lives();

  function lifeFor(lifeMs: number): Document {
    return { life: lifeMs, expires: { $add: ["$$NOW", lifeMs] } };
  }

  /**
   * Returns the owners that are dead for certain: they are removed, so that no beat prolongs their
   * lives.
   */
  async function bury(owners: readonly string[]): Promise<Set<string>> {
    const others = owners.filter((owner) => owner !== id && owner !== "");
    const found = await instances
      .aggregate<SeenInstance>([{ $match: { _id: { $in: others } } }, withTimeLeft])
      .toArray();
    const dead = found.filter((instance) => !lives.isAlive(instance));
    // One that has beaten since then is not removed.
    const silent = dead.map(({ _id, expires }) => ({ _id, expires }));
    if (silent.length > 0) await instances.deleteMany({ $or: silent });
    const alive = await instances.distinct("_id", { _id: { $in: others } });
    return new Set(owners.filter((owner) => !alive.includes(owner) || owner === id));
  }

  /** Ends transactions of the shards' sessions that are not committed. */
  async function endSessions(all: readonly ShardDocument[]): Promise<void> {
    const ids = new Map(
      all.flatMap(({ session }) =>
        session === undefined ? [] : [[String(session["id"]), session]],
      ),
    );
    if (ids.size > 0) await db.admin().command({ killSessions: [...ids.values()] });
  }

  /** Raises the epochs of the shards that are still as they were seen. */
  async function raise(all: readonly ShardDocument[]): Promise<void> {
    const updates = all.map(({ _id, epoch, owner }) => ({
      q: { _id, epoch, owner },
      u: { $set: { owner: id, heir: "", session: sessionOf(_id), epoch: epoch + 1 } },
    }));
    try {
      await db.command({
        update: clusterCollections.shards,
        ordered: false,
        updates,
        maxTimeMS: CLAIM_MS,
        writeConcern: { w: "majority", j: true },
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== MAX_TIME_EXPIRED) throw error;
    }
  }

  async function claim(asked: readonly Pick<ShardRecord, "shard" | "epoch">[]) {
    const epochs = new Map(asked.map(({ shard, epoch }) => [shard, epoch]));
    const claimed = new Map<number, number>();
    const filter = { _id: { $in: [...epochs.keys()] } };
    const seen = await shards.find(filter).toArray();
    const dead = await bury([...new Set(seen.map(({ owner }) => owner))]);
    let open = seen.filter(({ _id, epoch, owner }) => epochs.get(_id) === epoch && dead.has(owner));
    // Transactions of this instance end by themselves.
    await endSessions(open.filter(({ owner }) => owner !== id));
    for (let attempt = 0; open.length > 0 && attempt < CLAIM_ATTEMPTS; attempt++) {
      // A transaction that was begun since then would hold this one up.
      if (attempt > 0) await endSessions(open);
      await raise(open);
      const now = await shards.find({ _id: { $in: open.map(({ _id }) => _id) } }).toArray();
      for (const { _id, epoch, owner } of now) {
        if (owner === id && epoch === (epochs.get(_id) as number) + 1) claimed.set(_id, epoch);
      }
      open = now.filter(({ _id, epoch }) => epochs.get(_id) === epoch);
    }
    return claimed;
  }

  return {
    id,

    join: (address, lifeMs) =>
      guarded(async () => {
        // Shards of an earlier life of this instance that nobody has taken yet are anyone's.
        await shards.updateMany({ owner: id }, { $set: { owner: "", heir: "" } });
        await instances.updateOne(
          { _id: id },
          [{ $set: { address: { $literal: address }, ...lifeFor(lifeMs) } }],
          { upsert: true },
        );
      }),

    beat: (lifeMs) =>
      guarded(async () => {
        const { matchedCount } = await instances.updateOne({ _id: id }, [
          { $set: lifeFor(lifeMs) },
        ]);
        return matchedCount === 1;
      }),

    view: () => guarded(() => viewOf(db, lives)),

    claim: (asked) => guarded(() => claim(asked)),

    release: (shard, epoch, heir) =>
      guarded(async () => {
        await shards.updateOne({ _id: shard, owner: id, epoch }, { $set: { owner: "", heir } });
      }),

    leave: () =>
      guarded(async () => {
        await shards.updateMany({ owner: id }, { $set: { owner: "", heir: "" } });
        await instances.deleteOne({ _id: id });
      }),
  };
}

/** Shards are read before instances, so that every owner who is alive is in the list. */
async function viewOf(db: Db, lives: Lives): Promise<ClusterView> {
  const found = await shardsOf(db)
    .aggregate<Document>([
      { $match: { epoch: { $gt: 0 } } },
      { $project: { epoch: 1, owner: 1, heir: 1 } },
      { $unionWith: { coll: clusterCollections.instances, pipeline: [withTimeLeft] } },
    ])
    .toArray();
  const view = { instances: [] as SeenInstance[], shards: [] as Document[] };
  for (const one of found) {
    if (typeof one["_id"] === "string") view.instances.push(one as SeenInstance);
    else view.shards.push(one);
  }
  lives.forgetOthersThan(view.instances);
  const living = view.instances.filter((instance) => lives.isAlive(instance));
  return {
    instances: living.map(({ _id, address }) => ({ id: _id, address })),
    shards: view.shards.map(({ _id, epoch, owner, heir }) => ({ shard: _id, epoch, owner, heir })),
  };
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toUsherError(error);
  }
}
