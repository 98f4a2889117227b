import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARDS } from "../../../src/cluster/registry.ts";
import { openDatabase } from "../../../src/storage/mongodb/database.ts";
import { ensureQueueCollections } from "../../../src/storage/mongodb/queue/schema.ts";
import { StorageOpenError } from "../../../src/storage/open-error.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { testDatabase } from "../../support/mongodb.ts";

test("instances that start at once on an empty database find it made once", {
  skip: withoutMongodb,
}, async (t) => {
  const { db, close } = await openDatabase(await testDatabase(t));
  t.after(close);
  await db.dropDatabase();
  await Promise.all(Array.from({ length: 5 }, () => ensureQueueCollections(db)));
  assert.equal(await db.collection("shards").countDocuments({ epoch: 0, owner: "" }), SHARDS);
  await ensureQueueCollections(db);
  assert.equal(await db.collection("shards").countDocuments(), SHARDS);
});

test("queues of a version that this Usher does not know are left alone", {
  skip: withoutMongodb,
}, async (t) => {
  const { db, close } = await openDatabase(await testDatabase(t));
  t.after(close);
  const schema = db.collection<{ _id: string; version: number }>("schema");
  await schema.insertOne({ _id: "queue", version: 99 });
  await assert.rejects(ensureQueueCollections(db), (error) => {
    return error instanceof StorageOpenError && /version 99/.test(error.message);
  });
});
