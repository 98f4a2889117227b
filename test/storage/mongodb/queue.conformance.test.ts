import { describe, test } from "node:test";
import type { QueueStore } from "../../../src/queue/repository.ts";
import { createShardRegistry } from "../../../src/storage/mongodb/cluster/registry.ts";
import { type MongoDatabase, openDatabase } from "../../../src/storage/mongodb/database.ts";
import { createShardStores, type ShardStores } from "../../../src/storage/mongodb/queue/store.ts";
import type { StorageUnderTest } from "../../conformance/cases.ts";
import { queueSuite } from "../../conformance/queue/suite.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { freshUrl } from "./queue-database.ts";

for (const [topic, cases] of Object.entries(queueSuite)) {
  describe(`QueueStore on MongoDB, ${topic}`, () => {
    for (const [words, run] of Object.entries(cases)) {
      test(words, { skip: withoutMongodb }, async (t) => {
        const storage = mongoAt(await freshUrl(t));
        t.after(() => storage.close());
        await run(storage);
      });
    }
  });
}

/** A shard with a negative sign bit's neighbour in its ids: the largest there is. */
const SHARD = 63;

/** Each opening is another instance, which takes the shard from the one before. */
function mongoAt(url: string): StorageUnderTest<QueueStore> {
  let epoch = 0;
  let database: MongoDatabase | undefined;
  let stores: ShardStores | undefined;
  return {
    name: "mongodb",
    async open() {
      database = await openDatabase(url);
      const owner = `instance ${epoch}`;
      stores = createShardStores(database, { owner });
      const registry = createShardRegistry(database.db, { id: owner, sessionOf: stores.sessionOf });
      epoch = (await registry.claim([{ shard: SHARD, epoch }])).get(SHARD) ?? -1;
      return stores.store(SHARD, epoch, () => {});
    },
    async close() {
      await stores?.close();
      await database?.close();
      stores = undefined;
      database = undefined;
    },
  };
}
