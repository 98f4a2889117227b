import assert from "node:assert/strict";
import { describe } from "node:test";
import { DEFAULT_LEASE_MS } from "../../src/queue/rules/limits.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, startEngine } from "./running-engine.ts";

const SECOND = 1_000;

describe("attempts", () => {
  test("count takes", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    for (const attempt of [1, 2, 3]) {
      const task = await q.takeOne("t");
      assert.equal(task.attempt, attempt);
      assert.equal((await q.release(task)).attempt, attempt);
    }
    await q.crash();
    assert.equal((await q.takeOne("t")).attempt, 4);
  });

  test("a task whose leases failed that often is buried with the last reason", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { maxAttempts: 4, defaultTtrMs: SECOND });
    await q.put("t", {});
    await q.release(await q.takeOne("t"));
    await q.takeOne("t");
    await q.step(SECOND);
    const session = q.engine.openSession(60 * SECOND);
    await q.takeOne("t", { session: session.id });
    q.engine.closeSession(session.id);
    await q.idle();
    // The last attempt buries whatever the delay.
    const buried = await q.release(await q.takeOne("t"), 60 * SECOND, "smtp 451");
    assert.deepEqual([buried.attempt, buried.reason], [4, "smtp 451"]);
    assert.equal(await q.stateOf("t", 1), "BURIED");
    await q.crash();
    assert.equal((await q.engine.getTask("t", 1)).reason, "smtp 451");
    assert.deepEqual(q.counts("t"), { buried: 1 });
  });

  test("are limited in tubes of every kind, and by ttr too", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE", { maxAttempts: 1 });
    await q.put("t", { group: "g" }, { group: "g" });
    await q.takeOne("t");
    await q.step(DEFAULT_LEASE_MS);
    assert.equal((await q.engine.getTask("t", 1)).reason, "lease over");
    assert.equal(await q.stateOf("t", 1), "BURIED");
    assert.deepEqual(await q.takenIds("t", 10), [2]);
  });

  test("start again with a kick; the fence never does", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { maxAttempts: 2 });
    await q.put("t", {});
    await q.release(await q.takeOne("t"));
    const second = await q.takeOne("t");
    await q.release(second, undefined, "why");
    await q.engine.kickTasks("t", 1);
    const third = await q.takeOne("t");
    assert.deepEqual([third.attempt, third.reason], [1, ""]);
    assert.ok(third.fence > second.fence);
  });

  test("a clean restart forgets none of them, a crash may forget the one under way", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.release(await q.takeOne("t"));
    const second = await q.takeOne("t");
    await q.restart();
    assert.equal((await q.engine.getTask("t", 1)).attempt, 2);
    await q.release(second);
    await q.takeOne("t");
    await q.crash();
    assert.equal((await q.takeOne("t")).attempt, 3);
  });

  test("are not used by what was never delivered, nor by ReleaseAll", async (t) => {
    const q = await startEngine(t);
    const retryBackoff = { initialMs: SECOND, maxMs: SECOND, multiplier: 1 };
    await q.tube("t", "FIFOTTL", { maxAttempts: 1, retryBackoff });
    await q.put("t", {}, {});
    q.engine.giveBack(await q.take("t", { maxTasks: 2 }));
    assert.deepEqual(q.counts("t"), { ready: 2 });
    const [first] = await q.take("t", { maxTasks: 2 });
    if (first) await q.ack(first);
    assert.equal(await q.engine.releaseAll("t"), 1);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assert.equal((await q.takeOne("t")).attempt, 1);
  });
});

describe("back-off", () => {
  const retryBackoff = { initialMs: SECOND, maxMs: 5 * SECOND, multiplier: 2 };

  test("grows with each failed lease up to its end, when random is at its most", async (t) => {
    const q = await startEngine(t, { random: () => 1 - Number.EPSILON });
    await q.tube("t", "FIFOTTL", { retryBackoff, defaultTtrMs: SECOND });
    await q.put("t", {});
    for (const seconds of [1, 2, 4, 5, 5]) {
      const released = await q.release(await q.takeOne("t"));
      assert.equal(released.readyAt - q.clock.now(), seconds * SECOND);
      await q.step(seconds * SECOND);
    }
  });

  test("is half of that when random is at its least, and a whole number", async (t) => {
    const q = await startEngine(t, { random: () => 0 });
    await q.tube("t", "FIFOTTL", { retryBackoff: { ...retryBackoff, initialMs: 333 } });
    await q.put("t", {});
    const released = await q.release(await q.takeOne("t"));
    assert.equal(released.readyAt - q.clock.now(), 167);
  });

  test("is used when ttr or a session is over, and added to ttl", async (t) => {
    const q = await startEngine(t, { random: () => 1 - Number.EPSILON });
    await q.tube("t", "FIFOTTL", { retryBackoff });
    await q.put("t", { ttrMs: SECOND, ttlMs: 60 * SECOND });
    const first = await q.takeOne("t");
    await q.step(SECOND);
    const delayed = await q.engine.getTask("t", 1);
    assert.equal(delayed.readyAt, q.clock.now() + SECOND);
    assert.equal(delayed.expiresAt, first.expiresAt + SECOND);
    await q.step(SECOND);
    const session = q.engine.openSession(60 * SECOND);
    await q.takeOne("t", { session: session.id });
    q.engine.closeSession(session.id);
    await q.idle();
    assert.equal((await q.engine.getTask("t", 1)).readyAt, q.clock.now() + 2 * SECOND);
  });

  test("gives way to a delay that was named, 0 too", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { retryBackoff });
    await q.put("t", {});
    await q.release(await q.takeOne("t"), 0);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    const released = await q.release(await q.takeOne("t"), 7);
    assert.equal(released.readyAt, q.clock.now() + 7);
  });

  test("starts again after a kick", async (t) => {
    const q = await startEngine(t, { random: () => 1 - Number.EPSILON });
    await q.tube("t", "FIFOTTL", { retryBackoff });
    await q.put("t", {});
    await q.release(await q.takeOne("t"), 0);
    await q.release(await q.takeOne("t"), 0);
    await q.bury(await q.takeOne("t"));
    await q.engine.kickTasks("t", 1);
    const released = await q.release(await q.takeOne("t"));
    assert.equal(released.readyAt - q.clock.now(), SECOND);
  });
});

describe("burial and kick", () => {
  test("buried tasks are not taken, and keep their reasons", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const buried = await q.bury(await q.takeOne("t"), "no such mailbox");
    assert.equal(buried.reason, "no such mailbox");
    await q.engine.buryTask("t", 3, "by hand");
    assert.deepEqual(await q.takenIds("t", 10), [2]);
    await q.crash();
    const { tasks } = await q.engine.listTasks("t", 4, 0, 10);
    assert.deepEqual(
      tasks.map(({ id, reason }) => [id, reason]),
      [
        [1, "no such mailbox"],
        [3, "by hand"],
      ],
    );
  });

  test("KickTasks goes by put order, up to so many, and tells how many", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const ids = await q.put("t", {}, {}, {}, {});
    for (const id of ids.toReversed()) await q.engine.buryTask("t", id, "");
    await q.crash();
    assert.equal(await q.engine.kickTasks("t", 3), 3);
    assert.deepEqual(await q.takenIds("t", 10), [1, 2, 3]);
    assert.equal(await q.engine.kickTasks("t", 3), 1);
    assert.equal(await q.engine.kickTasks("t", 3), 0);
    assert.deepEqual(await q.takenIds("t", 10), [4]);
  });

  test("a kick wakes those who wait", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.engine.buryTask("t", 1, "");
    const waiting = q.take("t", { waitMs: SECOND });
    await q.engine.kickTasks("t", 1);
    assert.deepEqual(idsOf(await waiting), [1]);
  });

  test("a kicked task is READY, though it was buried while delayed; after a restart too", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { delayMs: 3_600 * SECOND });
    await q.engine.buryTask("t", 1, "");
    await q.engine.kickTasks("t", 1);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assert.deepEqual(await q.takenIds("t", 1), [1]);
  });

  test("a buried or leased task is not buriable by id, one that is not there not found", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    await q.takeOne("t");
    await q.engine.buryTask("t", 2, "");
    await assertReason(q.engine.buryTask("t", 1, ""), "TASK_NOT_BURIABLE");
    await assertReason(q.engine.buryTask("t", 2, ""), "TASK_NOT_BURIABLE");
    await assertReason(q.engine.buryTask("t", 3, ""), "TASK_NOT_FOUND");
    await assertReason(q.engine.buryTask("none", 1, ""), "TUBE_NOT_FOUND");
  });
});
