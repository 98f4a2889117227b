import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthRepository } from "../../../src/storage/mongodb/auth/repository.ts";
import { ensureAuthCollections } from "../../../src/storage/mongodb/auth/schema.ts";
import { openDatabase } from "../../../src/storage/mongodb/database.ts";
import { StorageOpenError } from "../../../src/storage/open-error.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { testDatabase } from "../../support/mongodb.ts";

test("instances that start at once on an empty database find it made once", {
  skip: withoutMongodb,
}, async (t) => {
  const { db, close } = await openDatabase(await testDatabase(t));
  t.after(close);
  await db.dropDatabase();
  await Promise.all(Array.from({ length: 5 }, () => ensureAuthCollections(db)));
  await ensureAuthCollections(db);
  const unique = (await db.collection("users").indexes()).filter((index) => index.unique);
  assert.deepEqual(
    unique.map(({ key }) => key),
    [{ emailKey: 1 }, { accountKeys: 1 }],
  );
});

test("users of a version that this Usher does not know are left alone", {
  skip: withoutMongodb,
}, async (t) => {
  const { db, close } = await openDatabase(await testDatabase(t));
  t.after(close);
  const schema = db.collection<{ _id: string; version: number }>("schema");
  await schema.insertOne({ _id: "auth", version: 99 });
  await assert.rejects(ensureAuthCollections(db), (error) => {
    return error instanceof StorageOpenError && /users .* version 99/.test(error.message);
  });
});

test("events that were kept before refusals were counted stand for one", {
  skip: withoutMongodb,
}, async (t) => {
  const database = await openDatabase(await testDatabase(t));
  t.after(database.close);
  await ensureAuthCollections(database.db);
  const repository = createAuthRepository(database, "instance");
  await repository.recordEvent({ type: "sign_in_failed", time: 1, count: 7 });
  await database.db.collection("audit_events").updateMany({}, { $unset: { count: 1 } });
  const everything = { limit: 10, after: undefined, userId: undefined };
  const events = await repository.listEvents({
    ...everything,
    startTime: undefined,
    endTime: undefined,
  });
  assert.deepEqual(
    events.map(({ count }) => count),
    [1],
  );
});
