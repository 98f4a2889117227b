import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { withoutMongodb } from "./mongod.ts";
import { testDatabase, urlOf } from "./mongodb.ts";

test("a test's MongoDB database is empty, whatever the test before left", {
  skip: withoutMongodb,
}, async (t) => {
  let before: string | undefined;
  for (const name of ["one test", "the next test"]) {
    await t.test(name, async (t) => {
      const url = await testDatabase(t);
      await using client = await MongoClient.connect(url);
      const things = client.db().collection("things");
      assert.equal(await things.countDocuments(), 0);
      await things.insertOne({});
      before ??= url;
      assert.equal(url, before, "a database is used again");
    });
  }
});

test("a server's URL keeps its hosts and options with another database", () => {
  const server = "mongodb://ann:secret@a:1,b:2/other?replicaSet=rs0&w=1";
  assert.equal(urlOf(server, "mine"), "mongodb://ann:secret@a:1,b:2/mine?replicaSet=rs0&w=1");
  assert.equal(urlOf("mongodb+srv://a.example", "mine"), "mongodb+srv://a.example/mine");
  assert.equal(urlOf("mongodb://a:1/?w=1", "mine"), "mongodb://a:1/mine?w=1");
});
