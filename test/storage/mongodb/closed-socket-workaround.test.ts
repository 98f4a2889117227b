import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { QueueStore } from "../../../src/queue/repository.ts";
import { changes, progress, recovered, task } from "../../conformance/queue/fixtures.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { type Relay, startRelay } from "../../support/relay.ts";
import {
  freshUrl,
  type Instance,
  keptCommits,
  nextCommand,
  startInstance,
} from "./queue-database.ts";

interface Behind {
  readonly relay: Relay;
  /** Reaches the database through the relay. */
  readonly instance: Instance;
  /** Reaches it without. */
  readonly direct: Instance;
}

async function behindRelay(t: TestContext): Promise<Behind> {
  const url = new URL(await freshUrl(t));
  const direct = await startInstance(t, url.href);
  const relay = await startRelay(t, url.host);
  url.host = relay.address;
  // Members of a replica set would be asked for, and reached without the relay, by their own names.
  url.searchParams.delete("replicaSet");
  url.searchParams.set("directConnection", "true");
  return { relay, instance: await startInstance(t, url.href), direct };
}

async function keys(store: QueueStore): Promise<number[]> {
  return (await recovered(store)).tasks.map(({ key }) => key);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(5);
}

/** Every kind of write, from one state of a shard to the next. */
function step(number: number): ReturnType<typeof changes> {
  return changes({
    inserts: [task(2 * number), task(2 * number + 1)],
    updates: [progress(2 * number + 1, { attempts: number })],
    removes: [2 * number - 2],
  });
}

for (const command of ["update", "insert", "delete", "commitTransaction"]) {
  test(`a connection that breaks off before ${command} arrives costs nothing but time`, {
    skip: withoutMongodb,
  }, async (t) => {
    const { relay, instance } = await behindRelay(t);
    const [store] = (await instance.own(1)) as [QueueStore];
    await store.commit(step(1));
    const sending = nextCommand(instance, command).then(() => relay.cut());
    await store.commit(step(2));
    await sending;
    assert.deepEqual(await keys(store), [3, 4, 5]);
    assert.equal(await keptCommits(instance, 1), 2);
    assert.deepEqual(instance.lost, []);
  });
}

test("a commit whose answer is lost, time and again, is kept once", {
  skip: withoutMongodb,
}, async (t) => {
  const { relay, instance, direct } = await behindRelay(t);
  // Of one group committer, so that one transaction has both.
  const stores = (await instance.own(1, 3)) as [QueueStore, QueueStore];
  await Promise.all(stores.map((store) => store.commit(step(1))));
  const sending = nextCommand(instance, "commitTransaction").then(() => relay.stall());
  const commits = stores.map((store) => store.commit(step(2)));
  await sending;
  await until(async () => (await keptCommits(direct, 1)) === 2);
  for (let more = 0; more < 3; more++) {
    const again = nextCommand(instance, "commitTransaction");
    relay.cut();
    relay.resume();
    await again;
  }
  relay.cut();
  await Promise.all(commits);
  assert.deepEqual(await Promise.all(stores.map(keys)), [
    [3, 4, 5],
    [3, 4, 5],
  ]);
  assert.deepEqual(await Promise.all([1, 3].map((shard) => keptCommits(direct, shard))), [2, 2]);
  assert.deepEqual(instance.lost, []);
});

test("over many commits of many shards, breaks at any command lose and double nothing", {
  skip: withoutMongodb,
}, async (t) => {
  const { relay, instance } = await behindRelay(t);
  const shards = [0, 7, 21, 63];
  const stores = await instance.own(...shards);
  // The n-th of these commands, counted from the last break, is the next that breaks.
  const breaks = [3, 9, 14, 22, 31, 4, 17, 26];
  const left = [...breaks];
  let sent = 0;
  instance.database.client.on("commandStarted", () => {
    if (++sent !== left[0]) return;
    left.shift();
    sent = 0;
    // Some break before the command goes out, and some when it has.
    if (left.length % 2 === 0) relay.cut();
    else setImmediate(() => setImmediate(() => relay.cut()));
  });
  const steps = 40;
  await Promise.all(
    stores.map(async (store) => {
      for (let number = 1; number <= steps; number++) await store.commit(step(number));
    }),
  );
  assert.deepEqual(left, [], "all of them broke");
  const expected = Array.from({ length: steps }, (_, index) => 2 * index + 3);
  for (const [index, store] of stores.entries()) {
    const { tasks } = await recovered(store);
    assert.deepEqual(
      tasks.map(({ key, attempts }) => [key, attempts]),
      [...expected.map((key) => [key, (key - 1) / 2]), [2 * steps, 0]].sort(
        ([a = 0], [b = 0]) => a - b,
      ),
    );
    assert.equal(await keptCommits(instance, shards[index] ?? -1), steps);
  }
  assert.deepEqual(instance.lost, []);
});
