import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import type { AuthRepository } from "../../../src/auth/repository.ts";
import { createAuthRepository } from "../../../src/storage/mongodb/auth-repository.ts";
import {
  authCollections,
  ensureAuthCollections,
} from "../../../src/storage/mongodb/auth-schema.ts";
import { type MongoDatabase, openDatabase } from "../../../src/storage/mongodb/database.ts";
import { authSuite } from "../../conformance/auth/suite.ts";
import type { StorageUnderTest } from "../../conformance/cases.ts";

const SERVER = process.env["USHER_TEST_MONGODB_URL"] ?? "mongodb://127.0.0.1:27311/?replicaSet=rs0";

const url = new URL(SERVER);
url.pathname = `/usher-test-${randomUUID()}`;
let keeper: MongoDatabase;

before(async () => {
  keeper = await openDatabase(url.href);
  await ensureAuthCollections(keeper.db);
});

// To make a database takes longer than any case; an empty one is as good.
beforeEach(async () => {
  const collections = Object.values(authCollections(keeper.db));
  await Promise.all(collections.map((collection) => collection.deleteMany({})));
});

after(async () => {
  await keeper.db.dropDatabase();
  await keeper.close();
});

for (const [topic, cases] of Object.entries(authSuite)) {
  describe(`AuthRepository on MongoDB, ${topic}`, () => {
    for (const [words, run] of Object.entries(cases)) {
      test(words, async (t) => {
        const storage = mongoAt(url.href);
        t.after(() => storage.close());
        await run(storage);
      });
    }
  });
}

function mongoAt(address: string): StorageUnderTest<AuthRepository> {
  let database: MongoDatabase | undefined;
  return {
    name: "mongodb",
    async open() {
      database = await openDatabase(address);
      // As at every start: what is there already stays as it is.
      await ensureAuthCollections(database.db);
      return createAuthRepository(database);
    },
    async close() {
      await database?.close();
      database = undefined;
    },
  };
}
