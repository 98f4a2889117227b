import assert from "node:assert/strict";
import { test } from "node:test";
import { UsherError } from "../../../src/base/errors.ts";
import type { QueueStore } from "../../../src/queue/repository.ts";
import {
  assertRefused,
  changes,
  NOW,
  recovered,
  task,
  tube,
  withoutPayload,
} from "../../conformance/queue/fixtures.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { commandsOf, freshUrl, nextCommand, startInstance } from "./queue-database.ts";

async function keys(store: QueueStore): Promise<number[]> {
  return (await recovered(store)).tasks.map(({ key }) => key);
}

function shardLost(error: unknown): boolean {
  return error instanceof UsherError && error.reason === "SHARD_UNAVAILABLE";
}

test("commits of shards of one committer that come while a transaction is under way share the next", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const stores = await instance.own(0, 2, 4, 30, 62);
  const commands = commandsOf(instance);
  const begun = nextCommand(instance, "insert");
  const first = stores[0]?.commit(changes({ inserts: [task(1)] }));
  await begun;
  const others = stores
    .slice(1)
    .map((store) => store.commit(changes({ inserts: [task(1), task(2)] })));
  await Promise.all([first, ...others]);
  assert.equal(commands.filter((name) => name === "commitTransaction").length, 2);
  assert.deepEqual(await Promise.all(stores.map(keys)), [[1], [1, 2], [1, 2], [1, 2], [1, 2]]);
});

test("a group commit of puts and acks takes four round trips", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const stores = await instance.own(5, 7);
  await Promise.all(stores.map((store) => store.commit(changes({ inserts: [task(1)] }))));
  const commands = commandsOf(instance);
  const next = changes({ inserts: [task(2)], removes: [1] });
  await Promise.all(stores.map((store) => store.commit(next)));
  assert.deepEqual(commands, ["update", "insert", "delete", "commitTransaction"]);
});

test("commits of one shard are kept in their order, also when they come at once", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const [store] = (await instance.own(7)) as [QueueStore];
  const dedup = [{ tube: 1, key: "k", id: 1, until: NOW }];
  await Promise.all([
    store.commit(changes({ tubes: [tube(1)], inserts: [task(1), task(2)], dedup })),
    store.commit(changes({ tubes: [tube(1, { nextId: 5 })], removes: [1], removedDedup: dedup })),
    store.commit(changes({ tubes: [tube(1, { nextId: 9 })], removes: [3], inserts: [task(4)] })),
  ]);
  const back = await recovered(store);
  assert.deepEqual(back.tubes, [tube(1, { nextId: 9 })]);
  assert.deepEqual(back.tasks, [task(2), task(4)].map(withoutPayload));
  assert.deepEqual(back.dedup, []);
});

test("what MongoDB refuses is refused to the shard that asked for it, and the others' is kept", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const [good, bad, other] = (await instance.own(1, 3, 5)) as [QueueStore, QueueStore, QueueStore];
  await bad.commit(changes({ inserts: [task(1)] }));
  const [first, refused, last] = [
    good.commit(changes({ inserts: [task(1), task(2)] })),
    bad.commit(changes({ inserts: [task(2), task(1)] })),
    other.commit(changes({ tubes: [tube(1)], inserts: [task(1)] })),
  ];
  await assertRefused(refused);
  await Promise.all([first, last]);
  assert.deepEqual(await Promise.all([good, bad, other].map(keys)), [[1, 2], [1], [1]]);
  await bad.commit(changes({ inserts: [task(2)] }));
  assert.deepEqual(instance.lost, []);
});

test("a deposed owner's commit is refused, and its other shards' of the same transaction are kept", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const old = await startInstance(t, url);
  const [first, deposed, last] = (await old.own(1, 3, 5)) as [QueueStore, QueueStore, QueueStore];
  await deposed.commit(changes({ inserts: [task(1)] }));
  const heir = await startInstance(t, url);
  assert.deepEqual(await heir.registry.claim([{ shard: 3, epoch: 1 }]), new Map([[3, 2]]));
  const taken = heir.stores.store(3, 2, () => {});

  const lostBefore: number[][] = [];
  const commits = [
    first.commit(changes({ inserts: [task(1)] })),
    deposed.commit(changes({ inserts: [task(2)], removes: [1] })).catch((error) => {
      lostBefore.push([...old.lost]);
      throw error;
    }),
    last.commit(changes({ inserts: [task(1)] })),
  ] as const;
  await assert.rejects(commits[1], shardLost);
  await Promise.all([commits[0], commits[2]]);
  assert.deepEqual(lostBefore, [[3]], "its engine is told before those who wait for it");
  assert.deepEqual(await Promise.all([first, taken, last].map(keys)), [[1], [1], [1]]);

  await assert.rejects(deposed.commit(changes({ inserts: [task(3)] })), shardLost);
  await assert.rejects(deposed.saveLeases({ leases: [], sessions: [] }), shardLost);
  await assert.rejects(recovered(deposed), shardLost);
  assert.deepEqual(old.lost, [3], "once");
});

test("a shard that was handed over is refused to who had it, whoever has it now", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const [store] = (await instance.own(9)) as [QueueStore];
  await instance.registry.release(9, 1, "");
  await assert.rejects(store.commit(changes({ inserts: [task(1)] })), shardLost);
  // Also where it is the same instance, which has claimed it anew.
  assert.deepEqual(await instance.registry.claim([{ shard: 9, epoch: 1 }]), new Map([[9, 2]]));
  assert.deepEqual(await keys(instance.stores.store(9, 2, () => {})), []);
  const stale = instance.stores.store(9, 1, () => {});
  await assert.rejects(stale.commit(changes({ inserts: [task(1)] })), shardLost);
  await assert.rejects(stale.saveLeases({ leases: [], sessions: [] }), shardLost);
});

test("a task that no document has room for is refused by its size, and nothing else is", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const [small, large] = (await instance.own(1, 3)) as [QueueStore, QueueStore];
  const payload = {
    format: "data",
    value: new Uint8Array(17 * 2 ** 20),
    attributes: undefined,
  } as const;
  const kept = small.commit(changes({ inserts: [task(1)] }));
  await assert.rejects(large.commit(changes({ inserts: [task(1, { payload })] })), /16777216/);
  await kept;
  // Many that are as large as they may be, more than one message carries.
  const most = { ...payload, value: new Uint8Array(16 * 2 ** 20 - 64 * 1024) };
  const inserts = [1, 2, 3, 4].map((key) => task(key, { payload: most }));
  await large.commit(changes({ inserts }));
  const back = await large.payloads([1, 4]);
  assert.deepEqual(
    [...back.values()].map(({ value }) => value.length),
    Array(2).fill(most.value.length),
  );
});

test("a range of removed tasks ends with its shard", { skip: withoutMongodb }, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  const [lower, upper] = (await instance.own(0, 1)) as [QueueStore, QueueStore];
  const most = Number.MAX_SAFE_INTEGER;
  const inserts = [task(0), task(1), task(most - 1), task(most)];
  await Promise.all([lower, upper].map((store) => store.commit(changes({ inserts }))));
  await Promise.all([
    lower.commit(changes({ removes: [most, most - 1] })),
    upper.commit(changes({ removes: [0, 1] })),
  ]);
  assert.deepEqual(await keys(lower), [0, 1]);
  assert.deepEqual(await keys(upper), [most - 1, most]);
});
