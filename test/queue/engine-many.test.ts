import assert from "node:assert/strict";
import { describe } from "node:test";
import { MOST_IN_ONE_COMMIT } from "../../src/queue/rules/durable-changes.ts";
import { MOST_AT_ONCE } from "../../src/queue/structures/deadlines.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, assertThrows, type RunningEngine, startEngine } from "./running-engine.ts";

const MANY = 2 * MOST_IN_ONE_COMMIT + 1_000;

async function fill(q: RunningEngine, tube: string, count: number, ttlMs = Infinity) {
  const timed = ttlMs === Infinity ? {} : { ttlMs };
  const tasks = Array.from({ length: 1_000 }, () => timed);
  await Promise.all(Array.from({ length: count / 1_000 }, () => q.put(tube, ...tasks)));
  q.store.mostChanged = 0;
}

describe("more tasks than one commit takes", () => {
  test("are removed by a truncation, in several", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await fill(q, "t", MANY);
    assert.equal(await q.engine.truncateTube("t"), MANY);
    assert.equal(q.store.mostChanged, MOST_IN_ONE_COMMIT);
    await q.crash();
    assert.deepEqual(q.counts("t"), {});
  });

  test("go with their tube, in several", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await fill(q, "t", MANY);
    await q.engine.deleteTube("t", false);
    assert.equal(q.store.mostChanged, MOST_IN_ONE_COMMIT);
    await q.crash();
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await q.tube("t", "FIFO");
    assert.deepEqual(q.counts("t"), {});
  });

  test("and a store that fails in the middle: the tube stays, and the rest can be taken", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await fill(q, "t", MANY);
    q.store.refuseCommits(1, 1);
    await assertReason(q.engine.deleteTube("t", false), "STORAGE_UNAVAILABLE");
    assert.deepEqual(q.counts("t"), { ready: MANY - MOST_IN_ONE_COMMIT });
    assert.deepEqual(await q.takenIds("t", 1), [MOST_IN_ONE_COMMIT + 1]);
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: MANY - MOST_IN_ONE_COMMIT });
  });

  test("are kicked and released, in several", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await fill(q, "t", MANY);
    const tasks = await q.take("t", { maxTasks: MANY });
    assert.equal(await q.engine.releaseAll("t"), MANY);
    assert.equal(q.store.mostChanged, MOST_IN_ONE_COMMIT);
    assert.equal(tasks.length, MANY);
    const again = await q.take("t", { maxTasks: MANY });
    await q.engine.settleAll(again.map(({ lease }) => ({ kind: "bury", lease, reason: "" })));
    q.store.mostChanged = 0;
    assert.equal(await q.engine.kickTasks("t", MANY - 1), MANY - 1);
    assert.equal(q.store.mostChanged, MOST_IN_ONE_COMMIT);
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: MANY - 1, buried: 1 });
  });
});

test("tasks that are due while a commit is under way do not all come into the next", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFOTTL");
  await fill(q, "t", MANY, 1_000);
  q.store.slowness = 20;
  await q.step(1_000);
  while (q.statistics("t").total > 0) await q.step(10);
  assert.equal(q.statistics("t").expired, MANY);
  assert.ok(q.store.mostChanged <= 2 * MOST_AT_ONCE, `${q.store.mostChanged} in one commit`);
});
