import type { StatementSync } from "node:sqlite";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { SqliteDatabase } from "./database.ts";
import { freeBytes } from "./disk-errors.ts";

const EVERY_MS = 1_000;
/** Between two steps that give room back. */
const STEP_MS = 50;
/** Pages that one step gives back: a few milliseconds of work. */
const STEP_PAGES = 256;
/** Free pages that stay in the file for the tasks to come: 4 MiB. */
const KEPT_PAGES = 1_024;
/** The database is idle with so many transactions since the last look. */
const IDLE_TRANSACTIONS = 4;
/** A file of an older Usher is written anew while so many pages of it are in use at most: 16 MiB. */
const MOST_REWRITTEN_PAGES = 4_096;

/** SQLite's name for a file whose free pages can be given back. */
const INCREMENTAL = 2;

/** What an open database needs beside its transactions, while the service runs. */
export interface Upkeep {
  close(): void;
}

/**
 * Keeps the reserve of the disk, gives the room of what was removed back to the file system while
 * little else goes on, and empties the log soon after personal data was removed.
 */
export function startUpkeep(parts: {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  readonly log: Log;
}): Upkeep {
  const { database, clock, log } = parts;
  const { handle, reserve } = database;
  const folder = database.folder.path;
  const freePages = handle.prepare("PRAGMA freelist_count");
  const allPages = handle.prepare("PRAGMA page_count");
  const vacuumMode = handle.prepare("PRAGMA auto_vacuum");
  let seen = database.transactions;
  let wasFull = false;

  function look(): void {
    let goesOn = false;
    try {
      const isIdle = database.transactions - seen <= IDLE_TRANSACTIONS;
      if (database.isEraseDue) database.checkpoint();
      // A full disk needs the room more than the calls need the time.
      if (isIdle || reserve.isFull) goesOn = giveRoomBack();
      if (reserve.isFull) reserve.fill();
    } catch (error) {
      log.warn({ err: error, folder }, "the database could not be tidied up; it is tried again");
    }
    tellFull();
    seen = database.transactions;
    cancel = clock.after(goesOn ? STEP_MS : EVERY_MS, look);
  }

  /** One step. Returns whether there is more to give back. */
  function giveRoomBack(): boolean {
    if (number(vacuumMode) !== INCREMENTAL) return rewrite();
    const kept = database.hasTraces ? 0 : KEPT_PAGES;
    if (number(freePages) <= kept) return false;
    database.transaction(() => handle.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`));
    const left = number(freePages);
    if (left > kept) return true;
    // The file is cut when the log is moved into it.
    database.checkpoint();
    if (left === 0) database.hasTraces = false;
    return false;
  }

  /** Turns the file of an older Usher, if little is in it, into one that can give room back. */
  function rewrite(): boolean {
    if (number(allPages) - number(freePages) > MOST_REWRITTEN_PAGES || reserve.isFull) return false;
    database.rewrite();
    return false;
  }

  function tellFull(): void {
    const isFull = reserve.isFull;
    if (isFull === wasFull) return;
    wasFull = isFull;
    const fields = { folder, freeBytes: freeBytes(folder) };
    if (isFull) log.warn(fields, "the disk is full: puts are refused until there is room");
    else log.info(fields, "the disk has room again");
  }

  reserve.fill();
  tellFull();
  let cancel = clock.after(EVERY_MS, look);
  return { close: () => cancel() };
}

function number(pragma: StatementSync): number {
  return Number(Object.values(pragma.get() ?? {})[0]);
}
