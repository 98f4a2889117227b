import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { QueueStore } from "../../src/queue/repository.ts";
import { createShardRegistry } from "../../src/storage/mongodb/cluster/registry.ts";
import { openDatabase as openMongodb } from "../../src/storage/mongodb/database.ts";
import { ensureQueueCollections } from "../../src/storage/mongodb/queue/schema.ts";
import { createShardStores, type ShardStores } from "../../src/storage/mongodb/queue/store.ts";
import { openDatabase, type SqliteDatabase } from "../../src/storage/sqlite/database.ts";
import { createQueueStore } from "../../src/storage/sqlite/queue/store.ts";
import { testDatabase } from "../support/mongodb.ts";
import { currentStorage } from "../support/on-each-storage.ts";

/** Where the lives of one engine, one after the other, keep what they have. */
export interface EngineHome {
  /** For the next life. */
  open(): Promise<QueueStore>;
  /** This life ends in good order. */
  close(): Promise<void>;
  /** This life ends as by a kill; the next one finds what was committed. */
  crash(): Promise<void>;
  /** For the end of a test. */
  remove(): Promise<void>;
}

/** A home on the storage that the test runs on. */
export function homeFor(t: TestContext): EngineHome | Promise<EngineHome> {
  return currentStorage() === "mongodb" ? mongodbHome(t) : sqliteHome();
}

/** SQLite in a folder; another one after each crash. */
export function sqliteHome(): EngineHome {
  const folders = [mkdtempSync(join(tmpdir(), "usher-queue-"))];
  let database: SqliteDatabase | undefined;
  const home: EngineHome = {
    async open() {
      database = openDatabase(folders.at(-1) as string);
      return createQueueStore(database);
    },
    async close() {
      database?.close();
      database = undefined;
    },
    async crash() {
      const folder = mkdtempSync(join(tmpdir(), "usher-queue-"));
      // SQLite works on the main thread: between two turns its files are what a kill would leave.
      cpSync(folders.at(-1) as string, folder, { recursive: true });
      folders.push(folder);
      await home.close();
    },
    async remove() {
      await home.close();
      for (const folder of folders) rmSync(folder, { recursive: true });
    },
  };
  return home;
}

/** Any of the shards. */
const SHARD = 7;

/** One shard in MongoDB, which every life claims as another instance. */
async function mongodbHome(t: TestContext): Promise<EngineHome> {
  const database = await openMongodb(await testDatabase(t));
  await ensureQueueCollections(database.db);
  let stores: ShardStores | undefined;
  const dropped: ShardStores[] = [];
  let epoch = 0;
  const home: EngineHome = {
    async open() {
      const id = randomUUID();
      stores = createShardStores(database, { owner: id });
      // It has not joined, so that the next life may claim the shard at any time.
      const registry = createShardRegistry(database.db, { id, sessionOf: stores.sessionOf });
      const claimed = (await registry.claim([{ shard: SHARD, epoch }])).get(SHARD);
      if (claimed === undefined) throw new Error("the shard cannot be claimed");
      epoch = claimed;
      return stores.store(SHARD, epoch, () => {});
    },
    async close() {
      await stores?.close();
      stores = undefined;
    },
    async crash() {
      // What is under way is cut off by the next claim, or was committed before that.
      if (stores !== undefined) dropped.push(stores);
      stores = undefined;
    },
    async remove() {
      await home.close();
      for (const stores of dropped) await stores.close();
      await database.close();
    },
  };
  return home;
}
