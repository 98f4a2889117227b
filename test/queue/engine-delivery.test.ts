import assert from "node:assert/strict";
import { describe } from "node:test";
import { state } from "../../src/queue/structures/task-state.ts";
import { test } from "../support/on-each-storage.ts";
import {
  assertReason,
  assertThrows,
  idsOf,
  type RunningEngine,
  startEngine,
  text,
} from "./running-engine.ts";

const SECOND = 1_000;

describe("what could not be delivered", () => {
  test("goes back to its place at once, as if never taken", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE");
    await q.put("t", { group: "a" }, { group: "a" }, { group: "b" });
    const tasks = await q.take("t", { maxTasks: 9 });
    q.engine.giveBack(tasks);
    const again = await q.take("t", { maxTasks: 9 });
    assert.deepEqual(
      again.map(({ id, attempt }) => [id, attempt]),
      [
        [1, 1],
        [3, 1],
      ],
    );
    assert.ok((again[0]?.fence ?? 0) > (tasks[1]?.fence ?? 0));
    if (tasks[0]) await assertReason(q.ack(tasks[0]), "LEASE_LOST");
  });

  test("wakes the next who waits", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const tasks = await q.take("t");
    const waiting = q.take("t", { waitMs: SECOND });
    q.engine.giveBack(tasks);
    assert.deepEqual(idsOf(await waiting), [1]);
  });

  test("and is settled or lost meanwhile is left alone", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const tasks = await q.take("t", { maxTasks: 3 });
    const [acked, released] = tasks;
    if (!acked || !released) assert.fail();
    await q.ack(acked);
    await q.release(released);
    const again = await q.takeOne("t");
    q.engine.giveBack(tasks);
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1 });
    await q.ack(again);
  });
});

describe("payloads", () => {
  const payloads = [
    { format: "data", value: Uint8Array.from([0, 255, 1]), attributes: { a: "1" } },
    { format: "text", value: "a\0é😀", attributes: undefined },
    { format: "json", value: '{"b": 1.0, "a": null}', attributes: { ["__proto__"]: "x" } },
  ] as const;

  for (const [where, cacheBytes] of [
    ["the cache", 2 ** 20],
    ["the store", 0],
  ] as const) {
    test(`come back as they were put, from ${where}`, async (t) => {
      const q = await startEngine(t, { limits: { cacheBytes } });
      await q.tube("t", "FIFO");
      await q.put("t", ...payloads.map((payload) => ({ payload, size: 10 })));
      const listed = await q.engine.listTasks("t", undefined, 0, 9);
      const taken = await q.take("t", { maxTasks: 9 });
      for (const tasks of [listed.tasks, taken]) {
        assert.deepEqual(
          tasks.map(({ payload }) => payload),
          payloads,
        );
      }
      await q.crash();
      assert.deepEqual((await q.engine.getTask("t", 1)).payload, payloads[0]);
    });
  }

  test("come from cache and store in one answer, in the order of tasks", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 300 } });
    await q.tube("t", "FIFO");
    const values = ["a", "b", "c", "d", "e"];
    for (const value of values) await q.put("t", text(value));
    const taken = await q.take("t", { maxTasks: 9 });
    assert.deepEqual(
      taken.map(({ payload }) => payload?.value),
      values,
    );
  });

  test("of tasks that are gone make room in the cache", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 300 } });
    await q.tube("t", "FIFO");
    const large = text("x".repeat(200));
    for (let put = 0; put < 10; put++) {
      await q.put("t", large);
      q.store.refusePayloads();
      await q.ack(await q.takeOne("t"));
    }
  });

  test("that cannot be read fail the take, and the task is READY as if never taken", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.put("t", {});
    q.store.refusePayloads(2);
    await assertReason(q.take("t"), "STORAGE_UNAVAILABLE");
    await assertReason(q.engine.getTask("t", 1), "STORAGE_UNAVAILABLE");
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assert.equal((await q.takeOne("t")).attempt, 1);
  });

  test("of a task that is deleted while they are read are not shown", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const letGo = q.store.hold();
    const deleted = q.engine.deleteTask("t", 1);
    await q.idle();
    const shown = assertReason(q.engine.getTask("t", 1), "TASK_NOT_FOUND");
    const listed = q.engine.listTasks("t", undefined, 0, 9);
    letGo();
    await Promise.all([deleted, shown]);
    assert.deepEqual(idsOf((await listed).tasks), [2]);
  });
});

describe("a server that stops", () => {
  test("answers those who wait, and takes no more of them", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await q.tube("empty", "FIFO");
    await q.put("t", {});
    const errors: unknown[] = [];
    const stream = {
      tubes: ["empty"],
      prefetch: 1,
      session: "",
      deliver: () => {},
      ended: (error: unknown) => errors.push(error),
    };
    const consumer = q.engine.consume(stream);
    const watcher = q.engine.watch("t", false);
    const taking = q.take("empty", { waitMs: SECOND });
    const putting = assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "SHUTTING_DOWN");
    q.engine.drain();
    assert.deepEqual(await taking, []);
    await putting;
    await assertReason(watcher.next(), "SHUTTING_DOWN");
    await assertReason(Promise.reject(errors[0]), "SHUTTING_DOWN");
    q.engine.endConsumer(consumer, []);

    assert.deepEqual(await q.take("empty", { waitMs: SECOND }), []);
    await assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "SHUTTING_DOWN");
    assertThrows(() => q.engine.consume(stream), "SHUTTING_DOWN");
    // What needs no waiting goes on until the end.
    const task = await q.takeOne("t");
    await q.ack(task);
    await q.put("t", {});
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("keeps what was on its way when it was told to", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const [acked] = await q.take("t", { maxTasks: 2 });
    if (!acked) assert.fail();
    const answers = [q.put("t", {}), q.ack(acked)];
    await q.restart();
    await Promise.all(answers);
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1 });
  });
});

describe("a task that a waiting take was given", () => {
  const calls = {
    ReleaseAll: (q: RunningEngine) => q.engine.releaseAll("t"),
    DeleteTask: (q: RunningEngine) => q.engine.deleteTask("t", 1),
    TruncateTube: (q: RunningEngine) => q.engine.truncateTube("t"),
    CloseSession: (q: RunningEngine, session: string) => q.engine.closeSession(session),
  };
  for (const [name, call] of Object.entries(calls)) {
    test(`is shown as it was given, though ${name} ended its lease in the same turn`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", "FIFOTTL");
      const { id: session } = q.engine.openSession(3_600 * SECOND);
      await q.put("t", { ...text("a"), delayMs: 10 * SECOND });
      const taking = q.take("t", { waitMs: 60 * SECOND, session });
      // The delay is over, and its timer late: the call finds it out and serves the take first.
      q.clock.leap(11 * SECOND);
      const called = call(q, session);
      // Another task gets the slot of one that is gone.
      const later = q.put("t", text("b"));
      const [task] = await taking;
      await called;
      await later;
      assert.equal(task?.id, 1);
      assert.equal(task.payload?.value, "a");
      assert.equal(task.state, state.LEASED);
      assert.equal(task.attempt, 1);
      assert.match(task.lease, /^1\./);
      assert.equal(task.fence, 1);
      await assertReason(q.ack(task), "LEASE_LOST");
    });
  }
});
