import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UsherError } from "../../base/errors.ts";
import { StorageOpenError } from "../open-error.ts";
import { migrate } from "./schema.ts";

/** One SQLite file that this process alone has open, with every migration applied. */
export interface SqliteDatabase {
  readonly handle: DatabaseSync;
  /**
   * Runs `work` in one durable transaction: all of it or none.
   * Throws what `work` throws, and STORAGE_UNAVAILABLE where SQLite does not take the change.
   */
  transaction<T>(work: () => T): T;
  /**
   * Runs `work`, which only reads, without a transaction: nobody else has the database, and nothing
   * comes between statements that run in one go. Throws as `transaction`.
   */
  read<T>(work: () => T): T;
  /** Throws STORAGE_UNAVAILABLE if the database does not answer. */
  ping(): void;
  close(): void;
}

/**
 * Opens `usher.db` in a folder, made for the owner alone if it is not there.
 * Throws StorageOpenError if another process has it open, or a newer Usher wrote it.
 */
export function openDatabase(folder: string): SqliteDatabase {
  const file = join(folder, "usher.db");
  let handle: DatabaseSync;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    handle = new DatabaseSync(file, { timeout: 0 });
  } catch (cause) {
    throw new StorageOpenError(`cannot open ${file}: ${messageOf(cause)}`, { cause });
  }
  try {
    // EXCLUSIVE before the first access: the lock on the file is then held until it is closed,
    // and the operating system lifts it when the process dies.
    handle.exec("PRAGMA locking_mode = EXCLUSIVE");
    handle.exec("PRAGMA journal_mode = WAL");
    handle.exec("PRAGMA synchronous = FULL");
    handle.exec("PRAGMA foreign_keys = ON");
    handle.exec("PRAGMA cache_size = -65536");
    chmodSync(file, 0o600);
    migrate(handle);
  } catch (cause) {
    handle.close();
    if (cause instanceof StorageOpenError) throw cause;
    if (isBusy(cause)) {
      throw new StorageOpenError(`${folder} is in use by another Usher process`, { cause });
    }
    throw new StorageOpenError(`cannot open ${file}: ${messageOf(cause)}`, { cause });
  }

  const begin = handle.prepare("BEGIN IMMEDIATE");
  const commit = handle.prepare("COMMIT");
  const rollback = handle.prepare("ROLLBACK");
  const probe = handle.prepare("SELECT count(*) FROM schema_migrations");
  return {
    handle,
    transaction(work) {
      try {
        begin.run();
        const result = work();
        commit.run();
        return result;
      } catch (error) {
        if (handle.isTransaction) rollback.run();
        throw toUsherError(error);
      }
    },
    read,
    ping: () => void read(() => probe.get()),
    close: () => handle.close(),
  };
}

function read<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toUsherError(error);
  }
}

/** The one place that turns SQLite's errors into Usher's; other errors pass as they are. */
function toUsherError(error: unknown): unknown {
  if (!isSqliteError(error)) return error;
  return new UsherError("STORAGE_UNAVAILABLE", { cause: error, retryAfterMs: 1_000 });
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

function isBusy(error: unknown): boolean {
  return isSqliteError(error) && (error.errcode === SQLITE_BUSY || error.errcode === SQLITE_LOCKED);
}

function isSqliteError(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
