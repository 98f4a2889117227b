import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { type MongoDatabase, openDatabase } from "../../../src/storage/mongodb/database.ts";
import { ensureQueueCollections } from "../../../src/storage/mongodb/queue-schema.ts";

const SERVER = process.env["USHER_TEST_MONGODB_URL"] ?? "mongodb://127.0.0.1:27311/?replicaSet=rs0";

/** A URL of a database that nothing else uses; it goes when the test ends. */
export async function freshUrl(t: TestContext): Promise<string> {
  const url = new URL(SERVER);
  url.pathname = `/usher-test-${randomUUID()}`;
  const database = await openDatabase(url.href);
  await ensureQueueCollections(database.db);
  t.after(async () => {
    await database.db.dropDatabase();
    await database.close();
  });
  return url.href;
}

export async function freshDatabase(t: TestContext): Promise<MongoDatabase> {
  return openFor(t, await freshUrl(t));
}

/** A connection of its own, as another instance has one. */
export async function openFor(t: TestContext, url: string): Promise<MongoDatabase> {
  const database = await openDatabase(url);
  t.after(() => database.close());
  return database;
}
