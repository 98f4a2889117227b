import assert from "node:assert/strict";
import { test } from "node:test";
import type { Db } from "mongodb";
import { SHARDS } from "../../../src/cluster/registry.ts";
import { instancesOf } from "../../../src/storage/mongodb/cluster/schema.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { until } from "../../support/queue.ts";
import { freshUrl, startInstance } from "./queue-database.ts";

/** A life that is over as it begins: nobody has to wait for its end. */
const OVER = 0;
const LONG = 600_000;
const SHORT = 50;

/** What an instance has left by the database's clock is other than it was: the clock was set. */
async function moveExpiry(db: Db, id: string, byMs: number): Promise<void> {
  const moved = { expires: { $add: ["$expires", byMs] } };
  await instancesOf(db).updateOne({ _id: id }, [{ $set: moved }]);
}

test("instances that have joined are known by id and address until they leave", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const one = await startInstance(t, url, "one");
  const two = await startInstance(t, url, "two");
  assert.deepEqual(await one.registry.view(), { instances: [], shards: [] });
  await one.registry.join("$host:1", LONG);
  await two.registry.join("host:2", LONG);
  const { instances } = await one.registry.view();
  assert.deepEqual(
    [...instances].sort((a, b) => (a.id < b.id ? -1 : 1)),
    [
      { id: "one", address: "$host:1" },
      { id: "two", address: "host:2" },
    ],
  );
  await two.own(5);
  await two.registry.leave();
  assert.deepEqual(await one.registry.view(), {
    instances: [{ id: "one", address: "$host:1" }],
    shards: [{ shard: 5, epoch: 1, owner: "", heir: "" }],
  });
  assert.equal(await two.registry.beat(LONG), false);
});

test("an instance whose life has ended goes on when it beats before others declare it dead", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const late = await startInstance(t, url, "late");
  const other = await startInstance(t, url, "other");
  await late.registry.join("host:1", OVER);
  await late.own(1);
  assert.deepEqual((await other.registry.view()).instances, []);
  assert.equal(await late.registry.beat(LONG), true);
  assert.deepEqual((await other.registry.view()).instances, [{ id: "late", address: "host:1" }]);
  assert.deepEqual(await other.registry.claim([{ shard: 1, epoch: 1 }]), new Map());
});

test("an instance that was declared dead is told so by its next beat, and can join again", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const dead = await startInstance(t, url, "dead");
  const other = await startInstance(t, url, "other");
  await dead.registry.join("host:1", OVER);
  await dead.own(1, 2);
  assert.deepEqual(await other.registry.claim([{ shard: 1, epoch: 1 }]), new Map([[1, 2]]));
  assert.equal(await dead.registry.beat(LONG), false);
  await dead.registry.join("host:1", LONG);
  assert.equal(await dead.registry.beat(LONG), true);
  // Nobody believes that it still has the shard that nobody has taken meanwhile.
  assert.deepEqual((await other.registry.view()).shards, [
    { shard: 1, epoch: 2, owner: "other", heir: "" },
    { shard: 2, epoch: 1, owner: "", heir: "" },
  ]);
});

test("the database's clock is set forward: who still beats is not taken for dead", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const living = await startInstance(t, url, "living");
  const other = await startInstance(t, url, "other");
  await living.registry.join("host:1", LONG);
  await living.own(1);
  assert.equal((await other.registry.view()).instances.length, 1);
  // A beat, and then the clock: as after it, what the beat promised is long over.
  assert.equal(await living.registry.beat(LONG), true);
  await moveExpiry(other.database.db, "living", -24 * LONG);
  assert.deepEqual((await other.registry.view()).instances, [{ id: "living", address: "host:1" }]);
  assert.deepEqual(await other.registry.claim([{ shard: 1, epoch: 1 }]), new Map());
  assert.equal(await living.registry.beat(LONG), true);
});

test("the database's clock is set back: who is silent for a life is dead all the same", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const dead = await startInstance(t, url, "dead");
  const other = await startInstance(t, url, "other");
  await dead.registry.join("host:1", SHORT);
  await dead.own(1);
  await moveExpiry(other.database.db, "dead", 24 * LONG);
  await until(
    async () => (await other.registry.view()).instances.length === 0,
    "the instance counts as dead",
  );
  assert.deepEqual(await other.registry.claim([{ shard: 1, epoch: 1 }]), new Map([[1, 2]]));
  assert.equal(await dead.registry.beat(SHORT), false);
});

test("shards of a living instance are not taken, nor those at another epoch than was seen", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const living = await startInstance(t, url);
  const other = await startInstance(t, url);
  await living.registry.join("host:1", LONG);
  await living.own(1, 2);
  await living.registry.release(2, 1, "");
  const asked = [
    { shard: 1, epoch: 1 },
    { shard: 2, epoch: 0 },
    { shard: 3, epoch: 4 },
    { shard: 4, epoch: 0 },
  ];
  assert.deepEqual(await other.registry.claim(asked), new Map([[4, 1]]));
  assert.deepEqual(await other.registry.claim([]), new Map());
});

test("a shard that was handed over waits for its heir, and goes to it with the next epoch", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const owner = await startInstance(t, url, "owner");
  const heir = await startInstance(t, url, "heir");
  await owner.registry.join("host:1", LONG);
  await heir.registry.join("host:2", LONG);
  await owner.own(1, 2);
  await owner.registry.release(1, 1, "heir");
  // What is not its own, or not at that epoch, it cannot give away.
  await owner.registry.release(2, 7, "heir");
  await heir.registry.release(2, 1, "heir");
  assert.deepEqual((await heir.registry.view()).shards, [
    { shard: 1, epoch: 1, owner: "", heir: "heir" },
    { shard: 2, epoch: 1, owner: "owner", heir: "" },
  ]);
  assert.deepEqual(await heir.registry.claim([{ shard: 1, epoch: 1 }]), new Map([[1, 2]]));
  assert.deepEqual((await owner.registry.view()).shards[0], {
    shard: 1,
    epoch: 2,
    owner: "heir",
    heir: "",
  });
});

test("of many who claim the same shards at once, exactly one gets each", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const dead = await startInstance(t, url, "dead");
  await dead.registry.join("host:1", OVER);
  const half = Array.from({ length: SHARDS / 2 }, (_, shard) => shard);
  await dead.own(...half);
  const rivals = await Promise.all(Array.from({ length: 6 }, () => startInstance(t, url)));
  await Promise.all(rivals.map(({ registry }) => registry.join("host", LONG)));
  const asked = Array.from({ length: SHARDS }, (_, shard) => ({
    shard,
    epoch: shard < half.length ? 1 : 0,
  }));
  const claims = await Promise.all(
    rivals.map(async ({ registry }, index) => {
      // Everybody begins elsewhere, and so wins something.
      const from = (index * SHARDS) / rivals.length;
      return registry.claim([...asked.slice(from), ...asked.slice(0, from)]);
    }),
  );
  const winners = new Map<number, string>();
  for (const [index, claim] of claims.entries()) {
    for (const [shard, epoch] of claim) {
      assert.equal(epoch, (asked[shard]?.epoch ?? 0) + 1);
      assert.equal(winners.has(shard), false, `shard ${shard} was given twice`);
      winners.set(shard, rivals[index]?.registry.id ?? "");
    }
  }
  assert.equal(winners.size, SHARDS);
  const { shards } = await dead.registry.view();
  for (const { shard, owner } of shards) assert.equal(owner, winners.get(shard));
});

test("an instance can take its own shard anew, when it does not know what became of its claim", {
  skip: withoutMongodb,
}, async (t) => {
  const instance = await startInstance(t, await freshUrl(t));
  await instance.registry.join("host", LONG);
  await instance.own(1);
  assert.deepEqual(await instance.registry.claim([{ shard: 1, epoch: 1 }]), new Map([[1, 2]]));
});
