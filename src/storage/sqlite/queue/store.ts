import type { QueueChanges, QueueStore } from "../../../queue/repository.ts";
import type { SqliteDatabase, Transaction } from "../database.ts";
import { takeKept, writeKept } from "./kept-leases.ts";
import { loadQueues } from "./loader.ts";
import { preparePayloads } from "./payloads.ts";
import { prepareWrites } from "./writes.ts";

/**
 * Tasks that are larger together are removed without being overwritten, since that takes as long as
 * their puts did. Upkeep gives their pages back to the file system.
 */
const MOST_ERASED_BYTES = 256 * 1024;

/** QueueService's store on the embedded database. */
export function createQueueStore(database: SqliteDatabase): QueueStore {
  const { handle } = database;
  const write = prepareWrites(handle);
  const readPayloads = preparePayloads(handle);
  return {
    async open(recovery) {
      database.read(() => loadQueues(handle, recovery));
    },

    async commit(changes) {
      database.transaction(() => write(changes), kindOf(changes));
    },

    isFull: () => database.reserve.isFull,

    async payloads(keys) {
      return database.read(() => readPayloads(keys));
    },

    async saveLeases(kept) {
      database.transaction(() => writeKept(handle, kept));
    },

    async loadLeases() {
      return database.transaction(() => takeKept(handle));
    },
  };
}

function kindOf({ inserts, removedBytes }: QueueChanges): Transaction {
  return { grows: inserts.length > 0, erases: removedBytes <= MOST_ERASED_BYTES };
}
