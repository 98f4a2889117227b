import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { UsherError } from "../../../src/base/errors.ts";
import { ensureQueueCollections } from "../../../src/storage/mongodb/queue/schema.ts";
import { changes, progress, recovered, task } from "../../conformance/queue/fixtures.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { type OwnMongod, startOwnMongod } from "./own-mongod.ts";
import { type Instance, keptCommits, nextCommand, startInstance } from "./queue-database.ts";

/** Resolves when a mongod that was started answers again. */
async function isBack({ database }: Instance): Promise<void> {
  const answers = () =>
    database.ping().then(
      () => true,
      () => false,
    );
  while (!(await answers())) await pause(50);
}

test("a mongod that is killed under commits and started again has lost and doubled none of them", {
  skip: withoutMongodb,
}, async (t) => {
  await commitUnderKills(t, await startOwnMongod(t));
});

test("of a replica set of three the primary is killed under commits: another goes on, none is lost", {
  skip: withoutMongodb,
}, async (t) => {
  await commitUnderKills(t, await startOwnMongod(t, { members: 3 }));
});

async function commitUnderKills(t: TestContext, mongod: OwnMongod): Promise<void> {
  const instance = await startInstance(t, mongod.url);
  await ensureQueueCollections(instance.database.db);
  const shards = [0, 31, 63];
  const stores = await instance.own(...shards);
  let answered = 0;
  let over = false;
  const commits = stores.map(async (store) => {
    let number = 0;
    while (!over) {
      number++;
      await store.commit(
        changes({
          inserts: [task(number)],
          updates: [progress(number, { attempts: number })],
          removes: [number - 10],
        }),
      );
      answered++;
    }
    return number;
  });
  const all = Promise.all(commits);
  all.catch(() => {});
  const next = (command: string) => Promise.race([nextCommand(instance, command), all]);
  // Killed in every part of a transaction.
  for (const command of ["commitTransaction", "insert", "commitTransaction", "delete"]) {
    const kill = await mongod.aim();
    const before = answered;
    while (answered < before + 15) await next("update");
    await next(command);
    await kill();
    await mongod.start();
  }
  over = true;
  for (const [index, count] of (await all).entries()) {
    const { tasks } = await recovered(stores[index] ?? assert.fail());
    const expected = Array.from({ length: 10 }, (_, nth) => count - 9 + nth);
    assert.deepEqual(
      tasks.map(({ key, attempts }) => [key, attempts]),
      expected.map((key) => [key, key]),
    );
    assert.equal(await keptCommits(instance, shards[index] ?? -1), count);
  }
  assert.deepEqual(instance.lost, []);
}

test("while no mongod comes back, what was not sent to be kept is refused, and the shard stays", {
  skip: withoutMongodb,
}, async (t) => {
  const mongod = await startOwnMongod(t);
  const instance = await startInstance(t, mongod.url, "owner", 0);
  await ensureQueueCollections(instance.database.db);
  const [store] = await instance.own(1);
  await store?.commit(changes({ inserts: [task(1)] }));
  await mongod.kill();
  await assert.rejects(
    store?.commit(changes({ inserts: [task(2)] })) ?? Promise.resolve(),
    (error) => error instanceof UsherError && error.reason === "STORAGE_UNAVAILABLE",
  );
  assert.deepEqual(instance.lost, []);
  await mongod.start();
  await isBack(instance);
  await store?.commit(changes({ inserts: [task(2)] }));
  assert.equal(await keptCommits(instance, 1), 2);
});

test("while no answer to a commit can be had, its shards are lost, and are found whole", {
  skip: withoutMongodb,
}, async (t) => {
  const mongod = await startOwnMongod(t);
  const instance = await startInstance(t, mongod.url, "owner", 0);
  await ensureQueueCollections(instance.database.db);
  const [store] = await instance.own(1);
  await store?.commit(changes({ inserts: [task(1)] }));
  const committing = nextCommand(instance, "commitTransaction").then(() => mongod.kill());
  await assert.rejects(
    store?.commit(changes({ inserts: [task(2)], removes: [1] })) ?? Promise.resolve(),
    (error) => error instanceof UsherError && error.reason === "SHARD_UNAVAILABLE",
  );
  await committing;
  assert.deepEqual(instance.lost, [1]);
  await mongod.start();
  await isBack(instance);
  assert.deepEqual(await instance.registry.claim([{ shard: 1, epoch: 1 }]), new Map([[1, 2]]));
  const again = instance.stores.store(1, 2, () => {});
  const keys = (await recovered(again)).tasks.map(({ key }) => key);
  assert.ok(keys.length === 1 && (keys[0] === 1 || keys[0] === 2), "all of it or none");
});
