import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import type { TaskView } from "../../src/queue/rules/task-view.ts";
import { test } from "../support/on-each-storage.ts";
import {
  assertReason,
  assertThrows,
  idsOf,
  type RunningEngine,
  startEngine,
} from "./running-engine.ts";

const SECOND = 1_000;

interface Scene {
  readonly q: RunningEngine;
  readonly first: TaskView;
  readonly second: TaskView;
}

/** Tasks 1 and 2 leased, 3 buried, 4 delayed, 5 and 6 ready; 2 and 6 are of one group. */
async function scene(t: TestContext): Promise<Scene> {
  const q = await startEngine(t, { random: () => 0 });
  await q.tube("t", "UTUBETTL", { defaultTtlMs: 600 * SECOND, defaultTtrMs: 60 * SECOND });
  const g = { group: "g" };
  await q.put("t", {}, g, {}, { delayMs: 9 * SECOND }, {}, g);
  await q.engine.buryTask("t", 3, "by hand");
  const [first, second] = await q.take("t", { maxTasks: 2 });
  if (!first || !second) assert.fail();
  return { q, first, second };
}

/** Everything that callers can see of the tube, calls apart. */
async function everything(q: RunningEngine): Promise<object> {
  const { calls: _, ...statistics } = q.statistics("t");
  const { tasks } = await q.engine.listTasks("t", undefined, 0, 100);
  return { statistics, tasks, tube: q.engine.getTube("t") };
}

/** What fails when the store does, by its name. */
const changes: Record<string, (scene: Scene) => Promise<unknown>> = {
  put: ({ q }) => q.put("t", {}, { group: "g" }),
  "put with a dedup key": ({ q }) => q.put("t", { dedupKey: "k" }),
  touch: ({ q, first }) => q.touch(first, SECOND),
  ack: ({ q, first }) => q.ack(first),
  release: ({ q, second }) => q.release(second, undefined, "why"),
  "release with a delay": ({ q, first }) => q.release(first, SECOND),
  bury: ({ q, second }) => q.bury(second),
  "a batch": ({ q, first, second }) =>
    q.engine.settleAll([
      { kind: "touch", lease: second.lease, extendMs: SECOND },
      { kind: "ack", lease: first.lease },
      { kind: "release", lease: second.lease, delayMs: 0, reason: "why" },
    ]),
  kick: ({ q }) => q.engine.kickTasks("t", 9),
  "bury by id": ({ q }) => q.engine.buryTask("t", 4, ""),
  "delete, leased": ({ q }) => q.engine.deleteTask("t", 2),
  "delete, ready": ({ q }) => q.engine.deleteTask("t", 5),
  truncate: ({ q }) => q.engine.truncateTube("t"),
  "release all": ({ q }) => q.engine.releaseAll("t"),
  "delete tube": ({ q }) => q.engine.deleteTube("t", true),
  "update tube": ({ q }) => q.engine.updateTube("t", { defaultPriority: 5, maxAttempts: 1 }),
  pause: ({ q }) => q.engine.pauseTube("t", Infinity),
};

describe("a change that the store refuses leaves everything as it was", () => {
  for (const [name, change] of Object.entries(changes)) {
    test(name, async (t) => {
      const all = await scene(t);
      const { q, first, second } = all;
      const before = await everything(q);
      q.store.refuseCommits();
      await assertReason(change(all), "STORAGE_UNAVAILABLE");
      await q.idle();
      assert.deepEqual(await everything(q), before);
      // Group `g` is busy as before; the leases are held as before.
      const [fifth] = await q.take("t", { maxTasks: 9 });
      assert.equal(fifth?.id, 5);
      if (fifth) await q.ack(fifth);
      await q.ack(second);
      assert.deepEqual(await q.takenIds("t", 9), [6]);
      await q.ack(first);
      assert.equal(await q.engine.kickTasks("t", 9), 1);
      await q.step(9 * SECOND);
      assert.deepEqual(await q.takenIds("t", 9), [3, 4]);
      await q.crash();
      assert.deepEqual(await q.takenIds("t", 9), [3, 4, 6]);
    });
  }

  test("and so do many in one commit, that build on each other", async (t) => {
    const all = await scene(t);
    const { q, first, second } = all;
    const before = await everything(q);
    q.store.refuseCommits();
    const together = ["put", "touch", "ack", "release", "kick", "bury by id", "delete, ready"];
    const refused = [...together, "delete, leased", "truncate", "update tube"].map((name) =>
      assertReason(changes[name]?.(all) ?? assert.fail(), "STORAGE_UNAVAILABLE"),
    );
    await Promise.all(refused);
    await q.idle();
    assert.deepEqual(await everything(q), before);
    await q.ack(second);
    await q.ack(first);
    assert.deepEqual(await q.takenIds("t", 9), [5, 6]);
  });

  test("make tube", async (t) => {
    const q = await startEngine(t);
    q.store.refuseCommits();
    await assertReason(q.tube("t", "FIFO"), "STORAGE_UNAVAILABLE");
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
    await q.tube("t", "UTUBE");
    await q.crash();
    assert.equal(q.engine.getTube("t").kind, "UTUBE");
  });
});

describe("while the store refuses", () => {
  test("a lease that is over is held, and gives way as soon as that can be kept", async (t) => {
    const { q, first, second } = await scene(t);
    q.store.refuseCommits(3);
    await q.step(60 * SECOND);
    for (let again = 0; again < 3; again++) {
      assert.equal(q.statistics("t").leased, 2);
      await q.step(SECOND);
    }
    assert.equal(q.statistics("t").leased, 0);
    assert.equal((await q.engine.getTask("t", 1)).attempt, 1);
    await assertReason(q.ack(first), "LEASE_LOST");
    await assertReason(q.ack(second), "LEASE_LOST");
  });

  test("a session that is over gives up its leases as soon as that can be kept", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const { id: session } = q.engine.openSession(SECOND);
    await q.take("t", { maxTasks: 2, session });
    q.store.refuseCommits(2);
    await q.step(SECOND);
    await q.step(SECOND);
    assert.deepEqual(q.counts("t"), { leased: 2 });
    await q.step(SECOND);
    assert.deepEqual(q.counts("t"), { ready: 2 });
  });

  test("a lease whose session is over ends at the next start, if it could not before", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(60 * SECOND);
    await q.takeOne("t", { session });
    q.store.refuseCommits();
    q.engine.closeSession(session);
    await q.idle();
    assert.deepEqual(q.counts("t"), { leased: 1 });
    await q.restart();
    await q.step(0);
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("a task whose ttl is over is not handed out, and goes as soon as that can be kept", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: SECOND });
    q.store.refuseCommits(2);
    await q.step(SECOND);
    assert.deepEqual(await q.take("t"), []);
    await q.idle();
    await q.step(2 * SECOND);
    assert.equal(q.statistics("t").expired, 1);
  });

  test("those who wait go on waiting, and are served when it takes changes again", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    const taking = q.take("t", { waitMs: 60 * SECOND });
    q.store.refuseCommits();
    const refused = assertReason(q.put("t", {}), "STORAGE_UNAVAILABLE");
    const waiting = q.putAll("t", [{}], { waitMs: 60 * SECOND });
    await refused;
    // The room of the put that failed is free again.
    const [id] = (await waiting).ids;
    assert.deepEqual(idsOf(await taking), [id]);
  });

  test("a put that is let in and refused is answered so, and the next is let in", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await q.put("t", {});
    const task = await q.takeOne("t");
    const waiting = [1, 2].map(() => q.putAll("t", [{}], { waitMs: 60 * SECOND }));
    const letGo = q.store.hold();
    const acked = q.ack(task);
    await q.idle();
    letGo();
    await acked;
    q.store.refuseCommits();
    const [first, second] = await Promise.allSettled(waiting);
    assert.equal(first?.status, "rejected");
    assert.equal(second?.status, "fulfilled");
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("the duplicate of a put that is refused is refused too, its whole batch with it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 5, dedupWindowMs: 60 * SECOND });
    const letGo = q.store.hold();
    const k = { dedupKey: "k" };
    const l = { dedupKey: "l" };
    const puts = [q.put("t", k, {}, k)];
    await q.idle();
    puts.push(q.put("t", k, l, {}), q.put("t", l), q.put("t", k));
    const other = q.put("t", { dedupKey: "m" });
    q.store.refuseCommits();
    letGo();
    await Promise.all(puts.map((put) => assertReason(put, "STORAGE_UNAVAILABLE")));
    await other;
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: 1 });
    const { duplicates } = await q.putAll("t", [k, l, { dedupKey: "m" }, {}]);
    assert.deepEqual(duplicates, [2]);
    assert.deepEqual(q.counts("t"), { ready: 4 });
  });

  test("a stream holds what it could not settle, and can settle it later", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const tasks: TaskView[] = [];
    const consumer = q.engine.consume({
      tubes: ["t"],
      prefetch: 1,
      session: "",
      deliver: (given) => tasks.push(...given),
      ended: () => assert.fail(),
    });
    await q.idle();
    const acks = tasks.map(({ lease }) => ({ kind: "ack", lease }) as const);
    q.store.refuseCommits();
    await assertReason(consumer.settle(acks), "STORAGE_UNAVAILABLE");
    assert.deepEqual(await consumer.settle(acks), []);
    await q.idle();
    assert.deepEqual(idsOf(tasks), [1, 2]);
  });

  test("two changes of one tube leave what the store has", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultPriority: 1 });
    q.store.refuseCommits(2);
    const refused = [2, 3].map((defaultPriority) =>
      assertReason(q.engine.updateTube("t", { defaultPriority }), "STORAGE_UNAVAILABLE"),
    );
    await Promise.all(refused);
    assert.equal(q.engine.getTube("t").settings.defaultPriority, 1);
    q.store.refuseCommits();
    const first = assertReason(q.engine.updateTube("t", { maxAttempts: 9 }), "STORAGE_UNAVAILABLE");
    await q.engine.updateTube("t", { defaultPriority: 3 });
    await first;
    const { settings } = q.engine.getTube("t");
    assert.deepEqual([settings.defaultPriority, settings.maxAttempts], [3, 0]);
    await q.crash();
    assert.deepEqual(q.engine.getTube("t").settings, settings);
  });

  test("what was reserved with a refused commit is reserved with the next", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const batch = Array(10_000).fill({});
    for (let kept = 0; kept < 6; kept++) await q.put("t", ...batch);
    // This one runs out of what the store has reserved for all tubes.
    const letGo = q.store.hold();
    const refused = assertReason(q.put("t", ...batch), "STORAGE_UNAVAILABLE");
    await q.idle();
    const next = q.put("t", {});
    q.store.refuseCommits();
    letGo();
    await refused;
    const [id] = await next;
    await q.crash();
    await q.put("t", ...batch);
    assert.equal(q.statistics("t").ready, 70_001);
    const { tasks } = await q.engine.listTasks("t", undefined, 60_000, 2);
    assert.equal(tasks[0]?.id, id);
    assert.ok((tasks[1]?.id ?? 0) > (id ?? 0));
  });

  test("settings that were refused do not reach the store with a later put", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    const letGo = q.store.hold();
    const refused = assertReason(
      q.engine.updateTube("t", { defaultPriority: 9 }),
      "STORAGE_UNAVAILABLE",
    );
    await q.idle();
    const put = q.put("t", {});
    q.store.refuseCommits();
    letGo();
    await refused;
    await put;
    await q.crash();
    assert.equal(q.engine.getTube("t").settings.defaultPriority, 0);
  });
});
