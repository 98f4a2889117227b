import type { Db, Document, FindOptions } from "mongodb";
import { UsherError } from "../../../base/errors.ts";
import type { Recovery } from "../../../queue/repository.ts";
import { type ShardDocument, shardsOf } from "../cluster/schema.ts";
import { toUsherError } from "../database.ts";
import { dedupFrom, tubeFrom } from "./documents.ts";
import type { Holding } from "./group-committer.ts";
import { collections } from "./schema.ts";
import { dedupKeysOf, idsOf, shardOf } from "./shard-ids.ts";
import { readTask, shardOfTask, taskFields } from "./task-bson.ts";

interface Opening {
  readonly holding: Holding;
  readonly recovery: Recovery;
  resolve(): void;
  reject(error: unknown): void;
}

/** Documents in one answer: few enough not to hold up the other work of an instance for long. */
const BATCH = 5_000;

/**
 * Reads shards back. Shards that are opened in the same turn are read together, with one query a
 * collection, so that opening all of them takes as long as opening one.
 */
export class ShardLoader {
  readonly #db: Db;
  readonly #owner: string;
  #waiting: Opening[] = [];
  #running = false;

  constructor(db: Db, owner: string) {
    this.#db = db;
    this.#owner = owner;
  }

  open(holding: Holding, recovery: Recovery): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ holding, recovery, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate);
      // A round opens each shard once.
      const round = new Map<number, Opening>();
      const later: Opening[] = [];
      for (const one of this.#waiting) {
        if (round.has(one.holding.shard)) later.push(one);
        else round.set(one.holding.shard, one);
      }
      this.#waiting = later;
      try {
        await this.#load(round);
        for (const one of round.values()) one.resolve();
      } catch (error) {
        for (const one of round.values()) one.reject(toUsherError(error));
      }
    }
    this.#running = false;
  }

  async #load(round: Map<number, Opening>): Promise<void> {
    const used = await this.#look(round);
    if (used.length === 0) return;
    const ranges = used.map((shard) => ({ _id: idsOf(shard) }));
    await this.#each(collections.tubes, ranges, {}, (document) => {
      give(round, shardOf(document["_id"]), (recovery) => recovery.tube(tubeFrom(document)));
    });
    await this.#each(collections.tasks, ranges, { projection: taskFields, raw: true }, (bytes) => {
      const document = Buffer.from(bytes["buffer"], bytes["byteOffset"], bytes["length"]);
      give(round, shardOfTask(document), (recovery) => recovery.task(readTask(document)));
    });
    const dedupRanges = used.map((shard) => ({ _id: dedupKeysOf(shard) }));
    await this.#each(collections.dedupKeys, dedupRanges, {}, (document) => {
      give(round, shardOf(document["_id"].tube), (recovery) => recovery.dedup(dedupFrom(document)));
    });
  }

  /** Gives back the marks. Returns the shards that have had commits, in their order. */
  async #look(round: Map<number, Opening>): Promise<number[]> {
    const used: number[] = [];
    const found = await shardsOf(this.#db)
      .find({ _id: { $in: [...round.keys()] } })
      .toArray();
    const documents = new Map<number, ShardDocument>(found.map((one) => [one._id, one]));
    for (const [shard, { holding, recovery, reject }] of round) {
      const document = documents.get(shard);
      if (document?.owner !== this.#owner || document.epoch !== holding.epoch) {
        reject(new UsherError("SHARD_UNAVAILABLE", { retryAfterMs: 1_000 }));
        round.delete(shard);
        continue;
      }
      if (document.marks !== undefined) recovery.marks(document.marks);
      if (document.commits !== undefined) used.push(shard);
    }
    return used.sort((a, b) => a - b);
  }

  /** In the order of ids: shard by shard, and in each by key. */
  async #each(
    collection: string,
    ranges: Document[],
    options: FindOptions,
    visit: (document: Document) => void,
  ): Promise<void> {
    const cursor = this.#db
      .collection(collection)
      .find({ $or: ranges }, { ...options, batchSize: BATCH, sort: { _id: 1 } });
    try {
      let more = await cursor.hasNext();
      while (more) {
        const documents = cursor.readBufferedDocuments();
        // MongoDB looks for the next ones while these are visited.
        const next = cursor.hasNext();
        next.catch(() => {});
        for (const document of documents) visit(document);
        more = await next;
      }
    } finally {
      await cursor.close();
    }
  }
}

/** An engine that throws at what it is given fails alone: the other shards are read on. */
function give(round: Map<number, Opening>, shard: number, how: (recovery: Recovery) => void): void {
  const opening = round.get(shard);
  if (opening === undefined) return;
  try {
    how(opening.recovery);
  } catch (error) {
    opening.reject(error);
    round.delete(shard);
  }
}
