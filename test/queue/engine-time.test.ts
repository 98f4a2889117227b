import assert from "node:assert/strict";
import { describe } from "node:test";
import { DEFAULT_LEASE_MS } from "../../src/queue/rules/limits.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, startEngine } from "./running-engine.ts";

const SECOND = 1_000;

describe("delay", () => {
  test("a delayed task is READY when its delay is over, not before", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { delayMs: SECOND });
    const waiting = q.take("t", { waitMs: 10 * SECOND });
    await q.step(SECOND - 1);
    assert.deepEqual(q.counts("t"), { delayed: 1 });
    const shown = await q.engine.getTask("t", 1);
    assert.equal(shown.readyAt, q.clock.now() + 1);
    await q.step(1);
    assert.deepEqual(idsOf(await waiting), [1]);
  });

  test("a tube's default is used where none is given, and 0 is given", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultDelayMs: SECOND });
    await q.put("t", {}, { delayMs: 0 });
    assert.deepEqual(q.counts("t"), { ready: 1, delayed: 1 });
  });

  test("the delay of a release counts from the release", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", {});
    await q.step(5 * SECOND);
    const released = await q.release(await q.takeOne("t"), SECOND, "smtp 451");
    assert.equal(released.readyAt, q.clock.now() + SECOND);
    await q.step(SECOND - 1);
    assert.deepEqual(q.counts("t"), { delayed: 1 });
    await q.step(1);
    assert.equal((await q.takeOne("t")).reason, "smtp 451");
  });

  test("over several restarts it ends when it would have", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { delayMs: 3 * SECOND }, { delayMs: 9 * SECOND });
    await q.restart(SECOND);
    await q.crash(SECOND);
    assert.deepEqual(q.counts("t"), { delayed: 2 });
    await q.step(SECOND);
    assert.deepEqual(await q.takenIds("t", 10), [1]);
    await q.crash(6 * SECOND);
    assert.deepEqual(await q.takenIds("t", 10), [1, 2]);
  });
});

describe("ttl", () => {
  test("counts from put plus delay, and ends ready, delayed and buried tasks", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtlMs: 2 * SECOND });
    await q.put("t", {}, { delayMs: SECOND }, {}, { ttlMs: 10 * SECOND });
    await q.engine.buryTask("t", 3, "");
    await q.step(2 * SECOND - 1);
    assert.deepEqual(q.counts("t"), { ready: 3, buried: 1 });
    await q.step(1);
    assert.deepEqual(q.counts("t"), { ready: 2 });
    await q.step(SECOND);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("over on a leased task: it ends when its lease does, if not acked before", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtlMs: 2 * SECOND, defaultTtrMs: 10 * SECOND });
    await q.put("t", {}, {}, {}, {});
    const [acked, released, buried] = await q.take("t", { maxTasks: 4 });
    await q.step(3 * SECOND);
    assert.deepEqual(q.counts("t"), { leased: 4 });
    if (!acked || !released || !buried) assert.fail();
    await q.ack(acked);
    const late = await q.release(released, SECOND);
    await q.bury(buried);
    assert.equal(late.id, 2);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    await q.step(7 * SECOND);
    const { total, done, expired } = q.statistics("t");
    assert.deepEqual({ total, done, expired }, { total: 0, done: 1, expired: 3 });
  });

  test("a delay of a release is added to it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: 10 * SECOND });
    const taken = await q.takeOne("t");
    const released = await q.release(taken, 60 * SECOND);
    assert.equal(released.expiresAt, taken.expiresAt + 60 * SECOND);
    await q.step(60 * SECOND);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await q.step(10 * SECOND);
    assert.equal(q.statistics("t").expired, 1);
  });

  test("a task whose ttl is over is not taken, however late its end is noticed", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: SECOND }, {});
    q.clock.leap(SECOND);
    assert.deepEqual(await q.takenIds("t", 10), [2]);
    await q.idle();
    assert.equal(q.statistics("t").expired, 1);
  });

  test("over while the server was down", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: SECOND }, { ttlMs: SECOND });
    await q.engine.buryTask("t", 2, "");
    await q.restart(SECOND);
    assert.deepEqual(await q.takenIds("t", 10), []);
    await q.idle();
    assert.equal(q.statistics("t").expired, 2);
    await q.crash();
    assert.equal(q.statistics("t").total, 0);
  });
});

describe("a lease", () => {
  test("ends with ttr", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtrMs: 5 * SECOND });
    await q.put("t", {}, { ttrMs: SECOND });
    const [slow, quick] = await q.take("t", { maxTasks: 2 });
    if (!slow || !quick) assert.fail();
    assert.equal(quick.leaseDeadline, q.clock.now() + SECOND);
    await q.step(SECOND);
    await assertReason(q.ack(quick), "LEASE_LOST");
    const again = await q.takeOne("t");
    assert.deepEqual([again.id, again.attempt, again.reason], [2, 2, "ttr over"]);
    await q.ack(again);
    await q.ack(slow);
  });

  test("ends with ttl where no ttr is given", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: SECOND });
    assert.equal((await q.takeOne("t")).ttrMs, SECOND);
    await q.step(SECOND);
    assert.equal(q.statistics("t").expired, 1);
  });

  test("ends after the server's default where there is neither ttr nor session", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const first = await q.takeOne("t");
    assert.equal(first.leaseDeadline, q.clock.now() + DEFAULT_LEASE_MS);
    await q.step(DEFAULT_LEASE_MS - 1);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    await q.step(1);
    const second = await q.takeOne("t");
    assert.equal(second.reason, "lease over");
    assert.ok(second.fence > first.fence);
    await assertReason(q.ack(first), "LEASE_LOST");
    await q.ack(second);
  });

  test("is noticed to be over by the next call, before any timer", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    q.clock.leap(DEFAULT_LEASE_MS);
    await assertReason(q.ack(task), "LEASE_LOST");
  });

  test("a touch adds to the lease and to ttl, durably", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: 10 * SECOND, ttrMs: 2 * SECOND });
    const task = await q.takeOne("t");
    const touched = await q.touch(task, 5 * SECOND);
    assert.equal(touched.leaseDeadline, task.leaseDeadline + 5 * SECOND);
    assert.equal(touched.expiresAt, task.expiresAt + 5 * SECOND);
    await q.step(7 * SECOND - 1);
    await q.touch(task, SECOND);
    await q.step(SECOND);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    await q.step(1);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await q.crash();
    assert.equal((await q.engine.getTask("t", 1)).expiresAt, task.expiresAt + 6 * SECOND);
  });

  test("can be touched in tubes of every kind", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE");
    await q.put("t", { group: "g" });
    const task = await q.takeOne("t");
    await q.touch(task, DEFAULT_LEASE_MS);
    await q.step(2 * DEFAULT_LEASE_MS - 1);
    await q.ack(task);
  });
});

test("ten thousand at the same time are all due", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFOTTL");
  await q.put("t", ...Array(10_000).fill({ delayMs: SECOND }));
  await q.put("t", ...Array(10_000).fill({ ttlMs: SECOND }));
  await q.step(SECOND);
  assert.deepEqual(q.counts("t"), { ready: 10_000 });
  assert.equal(q.statistics("t").expired, 10_000);
});
