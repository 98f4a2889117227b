import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { AuthRepository } from "../../../src/auth/repository.ts";
import { createAuthRepository } from "../../../src/storage/mongodb/auth/repository.ts";
import { ensureAuthCollections } from "../../../src/storage/mongodb/auth/schema.ts";
import { instancesOf } from "../../../src/storage/mongodb/cluster/schema.ts";
import { openDatabase } from "../../../src/storage/mongodb/database.ts";
import { testDatabase } from "../../support/mongodb.ts";

/** Repositories of that many instances, each with a connection of its own, on one empty database. */
export async function openInstances(t: TestContext, count: number): Promise<AuthRepository[]> {
  const url = await testDatabase(t);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const database = await openDatabase(url);
      t.after(() => database.close());
      await ensureAuthCollections(database.db);
      const id = randomUUID();
      const expires = new Date(Date.now() + 3_600_000);
      await instancesOf(database.db).insertOne({ _id: id, address: "", expires, life: 3_600_000 });
      return createAuthRepository(database, id);
    }),
  );
}
