import type { QueueStore } from "../../../queue/repository.ts";
import type { SqliteDatabase } from "../database.ts";
import { takeKept, writeKept } from "./kept-leases.ts";
import { loadQueues } from "./loader.ts";
import { preparePayloads } from "./payloads.ts";
import { prepareWrites } from "./writes.ts";

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
      database.transaction(() => write(changes));
    },

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
