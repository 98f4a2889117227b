import assert from "node:assert/strict";
import { describe } from "node:test";
import { tubeKinds } from "../../src/queue/repository.ts";
import { DEFAULT_LEASE_MS } from "../../src/queue/rules/limits.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, startEngine, text } from "./running-engine.ts";

const SECOND = 1_000;

describe("after a clean restart", () => {
  test("tubes and tasks are as they were", async (t) => {
    const q = await startEngine(t);
    for (const kind of tubeKinds) {
      await q.tube(kind, kind, kind === "LIMFIFOTTL" ? { capacity: 5 } : {});
      await q.put(kind, text(`first of ${kind}`), text(`second of ${kind}`));
    }
    await q.engine.buryTask("UTUBE", 2, "by hand");
    const before = tubeKinds.map((kind) => q.engine.getTube(kind));
    await q.restart(SECOND);
    assert.deepEqual(
      tubeKinds.map((kind) => q.engine.getTube(kind)),
      before,
    );
    for (const kind of tubeKinds) {
      const task = await q.takeOne(kind);
      assert.equal(task.payload?.value, `first of ${kind}`);
    }
    assert.equal((await q.engine.getTask("UTUBE", 2)).reason, "by hand");
  });

  test("leases are held on, and end when they would have", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const [first, second, third] = await q.take("t", { maxTasks: 3 });
    if (!first || !second || !third) assert.fail();
    await q.restart(DEFAULT_LEASE_MS - SECOND);
    assert.deepEqual(q.counts("t"), { leased: 3 });
    const shown = await q.engine.getTask("t", 1);
    assert.deepEqual([shown.attempt, shown.leaseDeadline], [1, first.leaseDeadline]);
    await q.ack(first);
    await q.touch(second, SECOND);
    await q.restart(SECOND);
    await q.step(0);
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1 });
    await assertReason(q.ack(third), "LEASE_LOST");
    await q.ack(second);
    assert.equal((await q.takeOne("t")).attempt, 2);
  });

  test("a lease that was kept once is not there after a later crash", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    await q.restart();
    await q.crash();
    assert.deepEqual(q.counts("t"), { ready: 1 });
    await assertReason(q.ack(task), "LEASE_LOST");
  });
});

describe("after a crash", () => {
  test("what was leased is READY again, and what was acked is gone", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const [, second] = await q.take("t", { maxTasks: 3 });
    if (second) await q.ack(second);
    await q.crash();
    assert.deepEqual(await q.takenIds("t", 10), [1, 3]);
  });

  test("a put, ack or release that was not answered happened whole or not at all", async (t) => {
    for (const kept of [true, false]) {
      const q = await startEngine(t);
      await q.tube("t", "FIFOTTL");
      await q.put("t", {}, {});
      const [acked, released] = await q.take("t", { maxTasks: 2 });
      if (!acked || !released) assert.fail();
      if (kept) q.store.loseAnswers();
      else q.store.hold();
      void q.put("t", {}, {});
      void q.ack(acked);
      void q.release(released, SECOND);
      await q.idle();
      await q.crash();
      if (kept) assert.deepEqual(q.counts("t"), { ready: 2, delayed: 1 });
      else assert.deepEqual(q.counts("t"), { ready: 2 });
      // Ids that may have been told to somebody are not used again either way.
      const [next] = await q.put("t", {});
      assert.ok(next !== undefined && next > (kept ? 4 : 2));
    }
  });
});

describe("ids", () => {
  test("go on by one over a clean restart, though every task is gone", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    assert.deepEqual(await q.put("t", {}, {}), [1, 2]);
    await q.engine.truncateTube("t");
    await q.restart();
    assert.deepEqual(await q.put("t", {}), [3]);
  });

  test("are never used again after a crash", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    let largest = 0;
    for (let crash = 0; crash < 5; crash++) {
      const ids = await q.put("t", {}, {});
      assert.ok(ids.every((id) => id > largest));
      largest = Math.max(...ids);
      await q.engine.truncateTube("t");
      await q.crash();
    }
  });

  test("start at 1 in a tube made again; leases of the old one never match", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const old = await q.takeOne("t");
    await q.engine.deleteTube("t", true);
    await q.tube("t", "FIFO");
    assert.deepEqual(await q.put("t", {}), [1]);
    const task = await q.takeOne("t");
    await assertReason(q.ack(old), "LEASE_LOST");
    await q.restart();
    await assertReason(q.ack(old), "LEASE_LOST");
    await q.ack(task);
  });

  test("of a store that went on while a reservation failed are not used again", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    // The first put of a tube reserves ids. It fails while the second is already on its way.
    const letGo = q.store.hold();
    const failed = assertReason(q.put("t", {}), "STORAGE_UNAVAILABLE");
    await q.idle();
    const second = q.put("t", {});
    q.store.refuseCommits();
    letGo();
    await failed;
    const [id] = await second;
    await q.ack(await q.takeOne("t"));
    await q.crash();
    const [next] = await q.put("t", {});
    assert.ok((next as number) > (id as number));
  });
});

test("the fence of a task grows with every take, over restarts and crashes", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFO");
  await q.put("t", {});
  let fence = 0;
  for (let round = 0; round < 6; round++) {
    const task = await q.takeOne("t");
    assert.ok(task.fence > fence);
    fence = task.fence;
    if (round % 3 === 0) await q.crash();
    else if (round % 3 === 1) q.engine.giveBack([task]);
    else {
      await q.restart();
      await q.release(task);
    }
  }
});

describe("a temporary tube", () => {
  test("works as any other, and is empty after a restart; its ids go on", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    const settings = { capacity: 3, dedupWindowMs: 60 * SECOND, defaultTtrMs: SECOND };
    await q.engine.createTube({ name: "t", kind: "LIMFIFOTTL", temporary: true, settings }, false);
    await q.put("t", text("one"), text("two"), { delayMs: SECOND, dedupKey: "k" });
    await assertReason(q.put("t", {}), "TUBE_FULL");
    const task = await q.takeOne("t");
    assert.equal(task.payload?.value, "one");
    await q.touch(task, SECOND);
    await q.release(task, undefined, "why");
    assert.equal((await q.engine.getTask("t", 1)).reason, "why");
    await q.engine.buryTask("t", 2, "");
    await q.engine.kickTasks("t", 1);
    await q.takeOne("t");

    await q.restart();
    assert.equal(q.engine.getTube("t").temporary, true);
    assert.deepEqual(q.counts("t"), {});
    assert.deepEqual(await q.putAll("t", [{ dedupKey: "k" }]), { ids: [4], duplicates: [] });
    await q.crash();
    assert.deepEqual(q.counts("t"), {});
    const [id] = await q.put("t", {});
    assert.ok((id as number) > 4);
  });

  test("is deleted and truncated as any other", async (t) => {
    const q = await startEngine(t);
    const tube = { name: "t", kind: "FIFO", temporary: true, settings: {} } as const;
    await q.engine.createTube(tube, false);
    await q.put("t", {}, {});
    assert.equal(await q.engine.truncateTube("t"), 2);
    await q.put("t", {});
    await q.engine.deleteTube("t", false);
    await q.crash();
    await assertReason(q.take("t"), "TUBE_NOT_FOUND");
  });
});

describe("a pause", () => {
  test("stops takes, not puts or acks; takers wait through it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const task = await q.takeOne("t");
    const paused = await q.engine.pauseTube("t", Infinity);
    assert.equal(paused.pausedUntil, Infinity);
    await q.ack(task);
    await q.put("t", {});
    assert.deepEqual(await q.take("t"), []);
    const waiting = q.take("t", { waitMs: SECOND });
    await q.idle();
    assert.equal(q.statistics("t").waitingTakers, 1);
    assert.equal((await q.engine.pauseTube("t", 0)).pausedUntil, 0);
    assert.deepEqual(idsOf(await waiting), [2]);
  });

  test("ends by itself, also over a restart", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const until = q.clock.now() + 3 * SECOND;
    await q.engine.pauseTube("t", 3 * SECOND);
    await q.crash(SECOND);
    assert.equal(q.engine.getTube("t").pausedUntil, until);
    await q.restart(SECOND);
    const waiting = q.take("t", { waitMs: 9 * SECOND });
    await q.step(SECOND - 1);
    assert.equal(q.statistics("t").waitingTakers, 1);
    await q.step(1);
    assert.deepEqual(idsOf(await waiting), [1]);
    assert.equal(q.engine.getTube("t").pausedUntil, 0);
  });

  test("without an end outlives restarts, and so does its end", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.engine.pauseTube("t", Infinity);
    await q.crash(3_600 * SECOND);
    assert.deepEqual(await q.take("t"), []);
    await q.engine.pauseTube("t", 0);
    await q.crash();
    assert.deepEqual(await q.takenIds("t", 1), [1]);
  });

  test("that was over while the server was down is over", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.engine.pauseTube("t", SECOND);
    await q.restart(SECOND);
    assert.deepEqual(await q.takenIds("t", 1), [1]);
  });

  test("is replaced by another", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.engine.pauseTube("t", SECOND);
    await q.engine.pauseTube("t", 2 * SECOND);
    await q.step(SECOND);
    assert.deepEqual(await q.take("t"), []);
    await q.step(SECOND);
    assert.deepEqual(await q.takenIds("t", 1), [1]);
  });
});
