import assert from "node:assert/strict";
import { test } from "node:test";
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
