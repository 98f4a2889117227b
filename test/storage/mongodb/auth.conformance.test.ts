import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { AuthRepository } from "../../../src/auth/repository.ts";
import { createAuthRepository } from "../../../src/storage/mongodb/auth/repository.ts";
import { ensureAuthCollections } from "../../../src/storage/mongodb/auth/schema.ts";
import { type MongoDatabase, openDatabase } from "../../../src/storage/mongodb/database.ts";
import { authSuite } from "../../conformance/auth/suite.ts";
import type { StorageUnderTest } from "../../conformance/cases.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { testDatabase } from "../../support/mongodb.ts";

for (const [topic, cases] of Object.entries(authSuite)) {
  describe(`AuthRepository on MongoDB, ${topic}`, () => {
    for (const [words, run] of Object.entries(cases)) {
      test(words, { skip: withoutMongodb }, async (t) => {
        const storage = mongoAt(await testDatabase(t));
        t.after(() => storage.close());
        await run(storage);
      });
    }
  });
}

function mongoAt(url: string): StorageUnderTest<AuthRepository> {
  let database: MongoDatabase | undefined;
  return {
    name: "mongodb",
    async open() {
      database = await openDatabase(url);
      // As at every start: what is there already stays as it is.
      await ensureAuthCollections(database.db);
      // Another instance at each start; the one before is dead, for it is not in the registry.
      return createAuthRepository(database, randomUUID());
    },
    async close() {
      await database?.close();
      database = undefined;
    },
  };
}
