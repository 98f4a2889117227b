import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { UsherError } from "../../base/errors.ts";
import { StorageOpenError } from "../open-error.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { isReadOnly, noRoomError, readOnlyError } from "./disk-errors.ts";
import { DiskReserve } from "./disk-reserve.ts";
import { migrate } from "./schema.ts";
import { faultOf } from "./sqlite-errors.ts";

/** One SQLite file that this process alone has open, with every migration applied. */
export interface SqliteDatabase {
  readonly handle: DatabaseSync;
  readonly folder: DataFolder;
  /** Room for what goes on while the disk is full. */
  readonly reserve: DiskReserve;
  /** How many transactions there were. */
  readonly transactions: number;
  /** Whether free pages may hold what was removed. */
  hasTraces: boolean;
  /** Whether the log may hold personal data that was removed; until the next checkpoint. */
  isEraseDue: boolean;
  /**
   * Runs `work` in one durable transaction: all of it or none. `work` may run more than once.
   * Throws what `work` throws, STORAGE_FULL where the disk has no room for the change, and
   * STORAGE_UNAVAILABLE where SQLite does not take it.
   */
  transaction<T>(work: () => T, kind?: Transaction): T;
  /**
   * Runs `work`, which only reads, without a transaction: nobody else has the database, and nothing
   * comes between statements that run in one go. Throws as `transaction`.
   */
  read<T>(work: () => T): T;
  /** Moves the log into the file and empties it, so that nothing of before is left in the log. */
  checkpoint(): void;
  /** Writes the whole file anew, without free pages. Takes as long as that, and as much room. */
  rewrite(): void;
  /**
   * Tells what keeps changes from being written. Throws STORAGE_UNAVAILABLE if the database does
   * not answer.
   */
  ping(): StorageTrouble | undefined;
  /** What an operator is told where a start fails with an error of these methods. */
  startError(error: unknown): unknown;
  close(): void;
}

export interface Transaction {
  /** Whether it adds to the data; then it may not take all of the reserve. */
  readonly grows: boolean;
  /** Whether what it removes is overwritten. */
  readonly erases: boolean;
}

const USUAL: Transaction = { grows: false, erases: true };
/** The part of the reserve that is left to those that do not grow. */
const KEPT_OF_RESERVE = 1 / 2;

export type StorageTrouble = "full" | "read_only";

/** The log is cut to this length when it has been moved into the file. */
const LOG_BYTES = 16 * 1024 * 1024;

/**
 * Opens `usher.db` in a folder, made for the owner alone if it is not there.
 * Throws StorageOpenError if another process has it open, a newer Usher wrote it, or the folder
 * cannot be used.
 */
export function openDatabase(name: string): SqliteDatabase {
  const folder = openDataFolder(name);
  const reserve = new DiskReserve(folder.path);
  let handle: DatabaseSync;
  try {
    handle = openFile(folder);
  } catch (error) {
    if (faultOf(error) !== "full" || !reserve.give(0)) throw openError(folder, error);
    try {
      handle = openFile(folder);
    } catch (again) {
      throw openError(folder, again);
    }
  }
  return new OpenDatabase(handle, folder, reserve);
}

function openFile({ file }: DataFolder): DatabaseSync {
  const handle = new DatabaseSync(file, { timeout: 0 });
  try {
    // EXCLUSIVE before the first access: the lock on the file is then held until it is closed,
    // and the operating system lifts it when the process dies.
    handle.exec("PRAGMA locking_mode = EXCLUSIVE");
    // For a new file, or one that is written anew as a whole; without effect on any other.
    handle.exec("PRAGMA auto_vacuum = INCREMENTAL");
    handle.exec("PRAGMA journal_mode = WAL");
    handle.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
    handle.exec("PRAGMA synchronous = FULL");
    handle.exec("PRAGMA foreign_keys = ON");
    handle.exec("PRAGMA cache_size = -65536");
    handle.exec("PRAGMA secure_delete = ON");
    chmodSync(file, 0o600);
    migrate(handle);
    return handle;
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** What an operator is told of a file that could not be opened. */
function openError({ path, file }: DataFolder, cause: unknown): StorageOpenError {
  if (cause instanceof StorageOpenError) return cause;
  const fault = faultOf(cause);
  if (fault === "busy") {
    return new StorageOpenError(`${path} is in use by another Usher process`, { cause });
  }
  if (fault === "full") return noRoomError(path, path, cause);
  if (fault === "input_output" && isReadOnly(path)) return readOnlyError(path, cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StorageOpenError(`cannot open ${file}: ${message}`, { cause });
}

class OpenDatabase implements SqliteDatabase {
  readonly handle: DatabaseSync;
  readonly folder: DataFolder;
  readonly reserve: DiskReserve;
  transactions = 0;
  hasTraces = false;
  isEraseDue = false;
  readonly #begin;
  readonly #commit;
  readonly #rollback;
  readonly #probe;
  #erases = true;

  constructor(handle: DatabaseSync, folder: DataFolder, reserve: DiskReserve) {
    this.handle = handle;
    this.folder = folder;
    this.reserve = reserve;
    this.#begin = handle.prepare("BEGIN IMMEDIATE");
    this.#commit = handle.prepare("COMMIT");
    this.#rollback = handle.prepare("ROLLBACK");
    this.#probe = handle.prepare("SELECT count(*) FROM schema_migrations");
  }

  transaction<T>(work: () => T, { grows, erases }: Transaction = USUAL): T {
    this.transactions++;
    // On a full disk there is no room to overwrite what goes: that is a write as well.
    const erasesNow = erases && !this.reserve.isFull;
    if (erasesNow !== this.#erases) this.#setErases(erasesNow);
    for (let isLast = false; ; ) {
      try {
        return this.#attempt(work);
      } catch (error) {
        if (faultOf(error) !== "full") throw this.#toUsherError(error);
        if (this.#erases) this.#setErases(false);
        const hasGiven = this.reserve.give(grows ? KEPT_OF_RESERVE : 0);
        this.#makeRoom();
        if (isLast) throw this.#toUsherError(error);
        // Without a slice of the reserve there is what the log has given back.
        isLast = !hasGiven;
      }
    }
  }

  read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#toUsherError(error);
    }
  }

  checkpoint(): void {
    this.read(() => this.handle.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    this.isEraseDue = false;
  }

  rewrite(): void {
    this.read(() => this.handle.exec("VACUUM"));
    this.checkpoint();
    this.hasTraces = false;
  }

  ping(): StorageTrouble | undefined {
    this.read(() => this.#probe.get());
    if (isReadOnly(this.folder.path)) return "read_only";
    return this.reserve.isFull ? "full" : undefined;
  }

  startError(error: unknown): unknown {
    if (!(error instanceof UsherError)) return error;
    const { path } = this.folder;
    if (error.reason === "STORAGE_FULL") return noRoomError(path, path, error);
    return error.cause instanceof StorageOpenError ? error.cause : error;
  }

  close(): void {
    this.handle.close();
  }

  #attempt<T>(work: () => T): T {
    try {
      this.#begin.run();
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      if (this.handle.isTransaction) this.#rollback.run();
      throw error;
    }
  }

  #setErases(erases: boolean): void {
    this.handle.exec(`PRAGMA secure_delete = ${erases ? "ON" : "FAST"}`);
    this.#erases = erases;
    if (!erases) this.hasTraces = true;
  }

  /**
   * Empties the log, and gives the room that it takes to the disk. A commit that did not fit has
   * left its part of it there.
   */
  #makeRoom(): void {
    try {
      this.checkpoint();
    } catch {
      // There is too little room for that, too.
    }
  }

  /** The one place that turns SQLite's errors into Usher's; other errors pass as they are. */
  #toUsherError(error: unknown): unknown {
    const fault = faultOf(error);
    if (fault === undefined) return error;
    if (fault === "full") return new UsherError("STORAGE_FULL", { cause: error });
    const isNamed = fault === "input_output" && isReadOnly(this.folder.path);
    return unavailable(isNamed ? readOnlyError(this.folder.path, error) : error);
  }
}

function unavailable(cause: unknown): UsherError {
  return new UsherError("STORAGE_UNAVAILABLE", { cause, retryAfterMs: 1_000 });
}
