import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { assertReason, assertThrows, startEngine } from "./running-engine.ts";

const SECOND = 1_000;

describe("deleting a tube", () => {
  test("takes its tasks with it, for good", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { dedupWindowMs: SECOND });
    await q.tube("other", "FIFO");
    await q.put("other", {});
    await q.put("t", { dedupKey: "k" }, { delayMs: SECOND }, {});
    await q.engine.buryTask("t", 3, "");
    await q.engine.deleteTube("t", false);
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await assertReason(q.engine.deleteTube("t", false), "TUBE_NOT_FOUND");
    await q.crash(2 * SECOND);
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await q.tube("t", "FIFO");
    assert.deepEqual(q.counts("t"), {});
    assert.deepEqual(await q.takenIds("other", 9), [1]);
  });

  test("is refused while tasks are leased, unless it is forced", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    await assertReason(q.engine.deleteTube("t", false), "TUBE_IN_USE");
    await q.engine.deleteTube("t", true);
    await assertReason(q.ack(task), "LEASE_LOST");
    await q.step(60 * SECOND);
  });

  test("answers those who wait at it TUBE_NOT_FOUND", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await q.put("t", {});
    await q.engine.pauseTube("t", Infinity);
    const waiting = [
      assertReason(q.take("t", { waitMs: SECOND }), "TUBE_NOT_FOUND"),
      assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "TUBE_NOT_FOUND"),
    ];
    const watcher = q.engine.watch("t", false);
    await q.engine.deleteTube("t", false);
    await Promise.all(waiting);
    await assertReason(watcher.next(), "TUBE_NOT_FOUND");
  });

  test("takes along what is on its way to the store", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const [acked, released, touched] = await q.take("t", { maxTasks: 3 });
    if (!acked || !released || !touched) assert.fail();
    const letGo = q.store.hold();
    const under = [q.put("t", {}), q.ack(acked), q.release(released), q.touch(touched, SECOND)];
    await q.idle();
    const deleted = q.engine.deleteTube("t", true);
    letGo();
    await Promise.all([...under, deleted]);
    await q.idle();
    await q.crash();
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await q.tube("t", "FIFO");
    assert.deepEqual(q.counts("t"), {});
  });

  test("in the same commit as a put, and a crash: no task is left over", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    q.store.loseAnswers();
    void q.put("t", {});
    void q.engine.deleteTube("t", false);
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
    await q.restart();
    await q.tube("t", "FIFO");
    await q.put("t", {});
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("hands out nothing any more", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    const letGo = q.store.hold();
    const released = q.release(task);
    await q.idle();
    const waiting = assertReason(q.take("t", { waitMs: SECOND }), "TUBE_NOT_FOUND");
    const deleted = q.engine.deleteTube("t", true);
    letGo();
    await Promise.all([released, deleted, waiting]);
  });

  test("in the same commit as a put: neither tube nor task is there afterwards", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const put = assertReason(q.put("t", {}), "TUBE_NOT_FOUND").catch(() => "kept");
    await q.engine.deleteTube("t", false);
    await put;
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
  });

  test("lets no waiting put in any more, and the tube does not come back", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 2 });
    await q.put("t", {});
    const caller = new AbortController();
    const answered = [
      assert.rejects(q.putAll("t", [{}, {}], { waitMs: 9_999, signal: caller.signal }), /gone/),
      assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "TUBE_NOT_FOUND"),
    ];
    const letGo = q.store.hold();
    const deleted = q.engine.deleteTube("t", false);
    await q.idle();
    // Would let the small one in.
    caller.abort(new Error("gone"));
    await q.idle();
    letGo();
    await Promise.all([deleted, ...answered]);
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
  });

  test("and making it again at once gives a new tube", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const deleted = q.engine.deleteTube("t", false);
    const made = q.tube("t", "UTUBE");
    await Promise.all([deleted, made]);
    assert.equal(q.engine.getTube("t").kind, "UTUBE");
    assert.deepEqual(q.counts("t"), {});
    await q.crash();
    assert.equal(q.engine.getTube("t").kind, "UTUBE");
    assert.deepEqual(await q.put("t", {}), [1]);
  });
});
