import type { Collection, Db } from "mongodb";
import { StorageOpenError } from "../../open-error.ts";
import { authCollections, ensureAuthCollections } from "../auth/schema.ts";
import { clusterCollections, instancesOf, shardsOf } from "../cluster/schema.ts";
import { toUsherError } from "../database.ts";
import { collections, ensureQueueCollections } from "../queue/schema.ts";

/**
 * Marks a database that was, or is being, filled from another storage. There is at most one.
 * `checking`: the database may hold something else. `copying`: everything in it came from the
 * source and may be thrown away. `done`: instances may use it.
 */
interface MoveDocument {
  readonly _id: "move";
  readonly state: "checking" | "copying" | "done";
  readonly source: string;
  /** The id of the move at work, under which it is in the registry. */
  readonly by: string;
  readonly started: Date;
  readonly finished?: Date;
  readonly counts?: Readonly<Record<string, number>>;
}

function movesOf(db: Db): Collection<MoveDocument> {
  return db.collection<MoveDocument>("moves");
}

const DUPLICATE_KEY = 11_000;
const POLL_MS = 250;

/** Rejects with StorageOpenError while a move to this database is not finished. */
export async function refuseUnfinishedMove(db: Db): Promise<void> {
  try {
    const move = await movesOf(db).findOne({ _id: "move" });
    if (move === null || move.state === "done") return;
  } catch (error) {
    throw toUsherError(error);
  }
  throw new StorageOpenError(
    "storage: a move to this MongoDB database is not finished: run `usher move` again until it says that it is done",
  );
}

/** An earlier move from the same source that is done. */
export interface FinishedMove {
  readonly counts: Readonly<Record<string, number>>;
}

/** The database that a move goes to, held for this move alone. */
export class MoveTarget {
  readonly #db: Db;
  readonly #source: string;
  /** The id of this move, under which it joins the registry. */
  readonly #id: string;
  /** The mark that an earlier run from the same source has left. */
  #earlier: MoveDocument | null = null;

  constructor(db: Db, { source, id }: { readonly source: string; readonly id: string }) {
    this.#db = db;
    this.#source = source;
    this.#id = id;
  }

  /**
   * Checks, without a write, whether this move may take the database. Resolves with an earlier move
   * from the same source if that is done. Rejects with StorageOpenError if something else is in the
   * database, or uses it. A move that was killed counts as one at work until its life is over;
   * `patienceMs` is longer.
   */
  async look(patienceMs: number): Promise<FinishedMove | undefined> {
    try {
      const earlier = await movesOf(this.#db).findOne({ _id: "move" });
      if (earlier !== null && earlier.source !== this.#source) {
        throw new StorageOpenError(
          earlier.state === "done"
            ? "the target holds what was moved from another folder: take an empty database"
            : "the target holds an unfinished move from another folder: finish that, or take an empty database",
        );
      }
      if (earlier?.state === "done") return { counts: earlier.counts ?? {} };
      if (earlier !== null) await this.#outlive(earlier.by, patienceMs);
      if (earlier?.state === "copying") await this.#refuseInstances();
      else await this.#refuseUsed();
      this.#earlier = earlier;
      return undefined;
    } catch (error) {
      throw toUsherError(error);
    }
  }

  /**
   * Takes the database, emptied, for this move. Call it after `look`, when this move has joined the
   * registry. Rejects with StorageOpenError if another move or an instance was faster.
   */
  async take(): Promise<void> {
    try {
      await this.#leaveMark();
      if (this.#earlier?.state === "copying") {
        await this.#refuseInstances();
        await this.#empty();
        return;
      }
      // An instance that has started meanwhile is seen here, or sees the mark and gives up.
      await this.#refuseUsed().catch(async (error) => {
        await movesOf(this.#db).deleteOne({ _id: "move", by: this.#id });
        throw error;
      });
      await this.#mark({ state: "copying" });
    } catch (error) {
      throw toUsherError(error);
    }
  }

  async #leaveMark(): Promise<void> {
    const moves = movesOf(this.#db);
    const by = this.#id;
    if (this.#earlier !== null) {
      const { state, by: before } = this.#earlier;
      const taken = await moves.updateOne({ _id: "move", by: before, state }, { $set: { by } });
      if (taken.matchedCount === 0) throw anotherMove();
      return;
    }
    const mark = { state: "checking", source: this.#source, by, started: new Date() } as const;
    try {
      await moves.insertOne({ _id: "move", ...mark });
    } catch (error) {
      if ((error as { code?: unknown }).code === DUPLICATE_KEY) throw anotherMove();
      throw error;
    }
  }

  /** Lets instances use the database. Rejects if it is not this move's any more. */
  async finish(counts: Readonly<Record<string, number>>): Promise<void> {
    try {
      await this.#mark({ state: "done", finished: new Date(), counts });
    } catch (error) {
      throw toUsherError(error);
    }
  }

  async #mark(changes: Partial<MoveDocument>): Promise<void> {
    const filter = { _id: "move", by: this.#id } as const;
    const { matchedCount } = await movesOf(this.#db).updateOne(filter, { $set: changes });
    if (matchedCount === 0) throw anotherMove();
  }

  /** Waits for the end of a move that may have been killed. */
  async #outlive(id: string, patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while ((await this.#living()).includes(id)) {
      if (performance.now() > deadline) throw anotherMove();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #living(): Promise<string[]> {
    const alive = { $expr: { $gt: ["$expires", "$$NOW"] } };
    return (await instancesOf(this.#db).find(alive).toArray()).map(({ _id }) => _id);
  }

  async #refuseInstances(): Promise<void> {
    const others = (await this.#living()).filter((id) => id !== this.#id);
    if (others.length === 0) return;
    throw new StorageOpenError(
      "an Usher instance uses the target: stop every instance, and give it a few seconds if one was killed",
    );
  }

  async #refuseUsed(): Promise<void> {
    await this.#refuseInstances();
    for (const collection of dataOf(this.#db)) {
      if ((await collection.findOne({}, { projection: { _id: 1 } })) !== null) {
        throw notEmpty(collection.collectionName);
      }
    }
    // Deleted tubes leave numbers that must not be used again.
    const used = await shardsOf(this.#db).findOne({ commits: { $exists: true } });
    if (used !== null) throw notEmpty(clusterCollections.shards);
  }

  /** Collections are dropped and made again: removing documents takes as long as writing them. */
  async #empty(): Promise<void> {
    for (const collection of dataOf(this.#db)) await collection.drop();
    await Promise.all([ensureQueueCollections(this.#db), ensureAuthCollections(this.#db)]);
  }
}

/** The collections that hold data: not the registry, and not what every start makes. */
function dataOf(db: Db): Collection[] {
  const { tubes, tasks, dedupKeys, keptLeases, keptSessions } = collections;
  const queue = [tubes, tasks, dedupKeys, keptLeases, keptSessions];
  return [
    ...queue.map((name) => db.collection(name)),
    ...(Object.values(authCollections(db)) as unknown as Collection[]),
  ];
}

function anotherMove(): StorageOpenError {
  return new StorageOpenError("another move to the target is at work");
}

function notEmpty(collection: string): StorageOpenError {
  return new StorageOpenError(
    `the target is not empty: there is something in its collection ${collection}; take an empty database`,
  );
}
