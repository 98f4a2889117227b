import { type ClientSession, type Db, type Document, MongoServerError } from "mongodb";
import { UsherError } from "../../../base/errors.ts";
import { clusterCollections, shardsOf } from "../cluster/schema.ts";
import { type MongoDatabase, toUsherError } from "../database.ts";
import { CommitUnknown, isPassing, runTransaction } from "./transaction-retries.ts";
import { commandsOf } from "./write-commands.ts";
import type { Writes } from "./writes.ts";

/** A shard as one owner holds it, until it is lost. */
export interface Holding {
  readonly shard: number;
  readonly epoch: number;
  lost: boolean;
  /** Called once when the shard is lost, before any of its waiting commits is refused. */
  onLost(): void;
}

interface Unit {
  readonly holding: Holding;
  readonly writes: Writes;
  resolve(): void;
  reject(error: unknown): void;
}

export interface CommitterOptions {
  /** The instance that owns the shards. */
  readonly owner: string;
  /** How long a commit is tried again while the database is away, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * A transaction that inserts so much takes no further commits, since each of them waits for the
 * whole of it.
 */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Some shards of a transaction are not the owner's at their epochs. */
class Deposed extends Error {
  readonly holdings: ReadonlySet<Holding>;

  constructor(holdings: ReadonlySet<Holding>) {
    super("another instance has taken a shard over");
    this.holdings = holdings;
  }
}

/**
 * Commits for many shards of an instance, one transaction at a time. Commits that come while one is
 * under way go together into the next. Every transaction first writes the documents of its shards,
 * as they are at the owner's epochs. An instance that takes a shard over writes the same document,
 * so that MongoDB lets only one of the two through.
 */
export class GroupCommitter {
  readonly #db: Db;
  readonly #options: CommitterOptions;
  readonly #session: ClientSession;
  #waiting: Unit[] = [];
  #running: Promise<void> | undefined;

  constructor(database: MongoDatabase, options: CommitterOptions) {
    this.#db = database.db;
    this.#options = options;
    // One session for all transactions, so that others can be told its id. A transaction that a
    // broken connection has left open ends when the next one of the session begins.
    this.#session = database.client.startSession({ causalConsistency: false });
  }

  /** The logical session of its transactions, by which another instance can end them. */
  get sessionId(): Document {
    return { ...this.#session.id };
  }

  commit(holding: Holding, writes: Writes): Promise<void> {
    if (holding.lost) return Promise.reject(lostError());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ holding, writes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Waits for what is under way, and ends. */
  async close(): Promise<void> {
    await this.#running;
    await this.#session.endSession();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Commits of other shards that come in the same turn join.
      await new Promise(setImmediate);
      await this.#commit(this.#nextGroup());
    }
    this.#running = undefined;
  }

  /** At most one commit of each shard, since those of one shard build on each other. */
  #nextGroup(): Unit[] {
    const group: Unit[] = [];
    const later: Unit[] = [];
    const shards = new Set<number>();
    let bytes = 0;
    for (const unit of this.#waiting) {
      const { holding, writes } = unit;
      if (holding.lost) unit.reject(lostError());
      else if (shards.has(holding.shard) || bytes >= GROUP_BYTES) later.push(unit);
      else {
        group.push(unit);
        for (const size of writes.inserts.bytes) bytes += size;
      }
      shards.add(holding.shard);
    }
    this.#waiting = later;
    return group;
  }

  async #commit(group: readonly Unit[]): Promise<void> {
    const deadline = performance.now() + this.#options.patienceMs;
    let units = group;
    while (units.length > 0) {
      try {
        const commands = commandsOf(units.map(({ writes }) => writes));
        await runTransaction(this.#session, () => this.#write(units, commands), deadline);
        for (const unit of units) unit.resolve();
        return;
      } catch (error) {
        if (error instanceof Deposed) {
          this.#lose(units.filter(({ holding }) => error.holdings.has(holding)));
          units = units.filter(({ holding }) => !error.holdings.has(holding));
        } else if (error instanceof CommitUnknown) {
          this.#lose(units, error);
          return;
        } else if (isPassing(error) || units.length === 1) {
          for (const unit of units) unit.reject(toUsherError(error));
          return;
        } else {
          // MongoDB refuses one of the commits for good. Each is tried alone, so that the others
          // succeed.
          for (const unit of units) await this.#commit([unit]);
          return;
        }
      }
    }
  }

  /** Every shard is marked as lost before a waiting commit is refused. */
  #lose(units: readonly Unit[], cause?: unknown): void {
    for (const { holding } of units) {
      if (holding.lost) continue;
      holding.lost = true;
      holding.onLost();
    }
    for (const unit of units) unit.reject(lostError(cause));
  }

  async #write(units: readonly Unit[], commands: readonly Document[]): Promise<void> {
    const { owner } = this.#options;
    const updates = units.map(({ holding, writes }) => ({
      q: { _id: holding.shard, owner, epoch: holding.epoch },
      u: hasOwn(writes.shard)
        ? { $inc: { commits: 1 }, $set: writes.shard }
        : { $inc: { commits: 1 } },
    }));
    const fence = await this.#command({
      update: clusterCollections.shards,
      ordered: false,
      updates,
    });
    if (fence["n"] !== units.length) throw await this.#deposed(units);
    for (const command of commands) await this.#command(command);
  }

  /** Looks, in the same transaction, which of the shards are not the owner's. */
  async #deposed(units: readonly Unit[]): Promise<Deposed> {
    const shards = units.map(({ holding }) => holding.shard);
    const session = this.#session;
    const found = await shardsOf(this.#db)
      .find({ _id: { $in: shards }, owner: this.#options.owner }, { session })
      .project<{ _id: number; epoch: number }>({ epoch: 1 })
      .toArray();
    const epochs = new Map(found.map(({ _id, epoch }) => [_id, epoch]));
    const holdings = units.map(({ holding }) => holding);
    const gone = holdings.filter((one) => epochs.get(one.shard) !== one.epoch);
    if (gone.length === 0) throw new Error("a shard's document was not found, and then it was");
    return new Deposed(new Set(gone));
  }

  async #command(command: Document): Promise<Document> {
    const reply = await this.#db.command(command, {
      session: this.#session,
      ignoreUndefined: true,
    });
    const failed: Document | undefined = reply["writeErrors"]?.[0];
    if (failed !== undefined) throw new MongoServerError(failed);
    return reply;
  }
}

function hasOwn(shard: Writes["shard"]): boolean {
  return shard.marks !== undefined || shard.kept !== undefined;
}

function lostError(cause?: unknown): UsherError {
  return new UsherError("SHARD_UNAVAILABLE", { cause, retryAfterMs: 1_000 });
}
