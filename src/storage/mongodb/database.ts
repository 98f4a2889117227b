import { type ClientSession, type Db, MongoClient, MongoError, ReadPreference } from "mongodb";
import { UsherError } from "../../base/errors.ts";
import { StorageOpenError } from "../open-error.ts";
import { failWritesToClosedSockets } from "./closed-socket-workaround.ts";

failWritesToClosedSockets();

/** One database of a MongoDB replica set, shared by every instance of a service. */
export interface MongoDatabase {
  readonly client: MongoClient;
  readonly db: Db;
  /**
   * Runs `work` in one transaction, all of it or none, durable on a majority of the members when
   * the promise resolves. `work` may run more than once, and must hand the session to every
   * operation. Rejects with what `work` throws, and STORAGE_UNAVAILABLE where MongoDB does not
   * answer in time or refuses. A transaction that was not answered in time may still be committed.
   */
  transaction<T>(work: (session: ClientSession) => Promise<T>): Promise<T>;
  /** Runs an operation that needs no transaction; rejects as `transaction` does. */
  operation<T>(work: () => Promise<T>): Promise<T>;
  /** Rejects with STORAGE_UNAVAILABLE if the primary does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_NAME = "usher";
/** How long a start, and each operation, waits for a primary that can be written to. */
const SELECT_MS = 5_000;
/** How long one step may take altogether, its repetitions included. */
const STEP_MS = 10_000;
/** How long a connection may be silent while an answer is due. */
const SILENT_MS = 10_000;

/**
 * Connects to `mongodb://...`; the path names the database, `usher` without one.
 * Rejects with StorageOpenError if there is no such server, or it is no replica set.
 */
export async function openDatabase(url: string): Promise<MongoDatabase> {
  let client: MongoClient;
  try {
    client = new MongoClient(url, {
      appName: "usher",
      serverSelectionTimeoutMS: SELECT_MS,
      connectTimeoutMS: SELECT_MS,
      socketTimeoutMS: SILENT_MS,
      readPreference: ReadPreference.primary,
      readConcern: { level: "majority" },
      writeConcern: { w: "majority", journal: true },
      // Numbers stay numbers as long as they fit, and become Long where they do not.
      promoteLongs: true,
      ignoreUndefined: false,
    });
  } catch (cause) {
    // The driver's message may quote the URL, and with it a password.
    throw new StorageOpenError("storage: the mongodb:// URL is not one that can be used", {
      cause,
    });
  }
  try {
    await client.connect();
    const hello = await client.db("admin").command({ hello: 1 });
    if (hello["setName"] === undefined && hello["msg"] !== "isdbgrid") {
      throw new StorageOpenError(
        "storage: the MongoDB server is no replica set, and Usher needs transactions: start it with --replSet and run rs.initiate() once",
      );
    }
  } catch (cause) {
    await client.close();
    if (cause instanceof StorageOpenError) throw cause;
    throw new StorageOpenError(`storage: cannot use MongoDB: ${messageOf(cause)}`, { cause });
  }
  const db = client.db(nameIn(client));
  return {
    client,
    db,
    transaction(work) {
      // The driver would repeat for two minutes; its own `timeoutMS` has no effect any more.
      const lastStart = performance.now() + STEP_MS;
      const transacted = client.withSession((session) =>
        session.withTransaction(
          () => {
            if (performance.now() > lastStart) throw tooLate();
            return work(session);
          },
          {
            readConcern: { level: "snapshot" },
            writeConcern: { w: "majority", journal: true },
          },
        ),
      );
      return inTime(transacted, STEP_MS);
    },
    operation: (work) => inTime(work(), STEP_MS),
    async ping() {
      await inTime(db.command({ ping: 1 }), SELECT_MS);
    },
    close: () => client.close(),
  };
}

/** The one place that turns the driver's errors into Usher's; other errors pass as they are. */
export function toUsherError(error: unknown): unknown {
  if (!(error instanceof MongoError || isSystemError(error))) return error;
  return new UsherError("STORAGE_UNAVAILABLE", { cause: error, retryAfterMs: 1_000 });
}

/** A connection that breaks while the driver writes to it gives a bare system error. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function nameIn(client: MongoClient): string {
  return client.options.dbName === "test" ? DEFAULT_NAME : client.options.dbName;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for the driver no longer than this, and turns its errors into Usher's. */
async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(tooLate()), limitMs);
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw toUsherError(error);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(): UsherError {
  const cause = new Error("MongoDB did not answer in time");
  return new UsherError("STORAGE_UNAVAILABLE", { cause, retryAfterMs: 1_000 });
}
