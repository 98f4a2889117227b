import assert from "node:assert/strict";
import { describe } from "node:test";
import type { TaskView } from "../../src/queue/rules/task-view.ts";
import { test } from "../support/on-each-storage.ts";
import { idsOf, type RunningEngine, startEngine } from "./running-engine.ts";

const a = { group: "a" };
const b = { group: "b" };

/** A UTUBETTL tube `t` with these tasks. */
async function withTasks(q: RunningEngine, ...tasks: Parameters<RunningEngine["put"]>[1][]) {
  await q.tube("t", "UTUBETTL");
  await q.put("t", ...tasks);
}

describe("a group", () => {
  test("has one leased task at a time, strictly in order; groups run beside each other", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE");
    await q.put("t", a, a, b, a, b);
    const [first, third] = await q.take("t", { maxTasks: 10 });
    assert.deepEqual([first?.id, third?.id], [1, 3]);
    assert.deepEqual([first?.group, third?.group], ["a", "b"]);
    assert.deepEqual(await q.takenIds("t", 10), []);
    if (third) await q.ack(third);
    assert.deepEqual(await q.takenIds("t", 10), [5]);
    if (first) await q.ack(first);
    assert.deepEqual(await q.takenIds("t", 10), [2]);
  });

  test("a task without a group is a group of its own", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE");
    await q.put("t", {}, a, {}, a, {});
    assert.deepEqual(await q.takenIds("t", 10), [1, 2, 3, 5]);
  });

  test("a released task is the next of its group again", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, a, a);
    await q.release(await q.takeOne("t"));
    assert.deepEqual(await q.takenIds("t", 10), [1]);
  });

  test("a delayed task steps out, the next may run, and it comes back to its place", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, a, a, a);
    await q.release(await q.takeOne("t"), 1_000);
    const second = await q.takeOne("t");
    assert.equal(second.id, 2);
    await q.step(1_000);
    assert.deepEqual(await q.takenIds("t", 10), []);
    await q.ack(second);
    assert.deepEqual(await q.takenIds("t", 10), [1]);
  });

  test("a buried task steps out, the next may run, and a kick brings it back", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, a, a, a);
    await q.bury(await q.takeOne("t"));
    const second = await q.takeOne("t");
    assert.equal(second.id, 2);
    assert.equal(await q.engine.kickTasks("t", 1), 1);
    assert.deepEqual(await q.takenIds("t", 10), []);
    await q.ack(second);
    assert.deepEqual(await q.takenIds("t", 10), [1]);
  });

  test("is free again however its leased task leaves", async (t) => {
    const q = await startEngine(t);
    const leave: Record<string, () => Promise<unknown>> = {
      ack: async () => q.ack(await q.takeOne("t")),
      bury: async () => q.bury(await q.takeOne("t")),
      delete: async () => q.engine.deleteTask("t", (await q.takeOne("t")).id),
      "delayed release": async () => q.release(await q.takeOne("t"), 1_000_000),
      "ttl over": async () => {
        await q.takeOne("t");
        await q.step(60_000);
      },
    };
    await q.tube("t", "UTUBETTL", { defaultTtlMs: 60_000 });
    for (const [how, leaving] of Object.entries(leave)) {
      const [, second] = await q.put("t", a, { ...a, ttlMs: 3_600_000 });
      await leaving();
      const next = await q.takeOne("t");
      assert.equal(next.id, second, how);
      await q.ack(next);
    }
  });

  test("the head is by priority, and so is the choice among groups", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, { ...a, priority: 2 }, { ...b, priority: 1 }, { ...a, priority: 0 });
    const head = await q.takeOne("t");
    assert.equal(head.id, 3);
    await q.put("t", { ...a, priority: 0 });
    assert.deepEqual(await q.takenIds("t", 10), [2]);
    await q.ack(head);
    assert.deepEqual(await q.takenIds("t", 10), [4]);
  });

  test("members that do not run can be deleted and buried: the head, and those behind it", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, a, a, a, a, a);
    await q.engine.deleteTask("t", 1);
    await q.engine.deleteTask("t", 3);
    await q.engine.buryTask("t", 2, "");
    const fourth = await q.takeOne("t");
    assert.equal(fourth.id, 4);
    await q.engine.deleteTask("t", 5);
    await q.ack(fourth);
    assert.deepEqual(await q.takenIds("t", 10), []);
    await q.engine.kickTasks("t", 10);
    assert.deepEqual(await q.takenIds("t", 10), [2]);
  });

  test("stays busy over a clean restart, and is free after a crash", async (t) => {
    const q = await startEngine(t);
    await withTasks(q, a, a, b);
    const first = await q.takeOne("t");
    await q.restart();
    assert.deepEqual(await q.takenIds("t", 10), [3]);
    await q.crash();
    assert.deepEqual(await q.takenIds("t", 10), [1, 3]);
    assert.equal(first.id, 1);
  });

  test("is its name byte by byte", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBE");
    const names = [
      "a",
      "A",
      "a\0",
      "a ",
      "é",
      "e\u0301",
      "__proto__",
      "constructor",
      "x".repeat(256),
    ];
    await q.put("t", ...names.flatMap((group) => [{ group }, { group }]));
    const taken = await q.take("t", { maxTasks: 100 });
    assert.deepEqual(
      taken.map(({ group }) => group),
      names,
    );
    await q.crash();
    const again = await q.take("t", { maxTasks: 100 });
    assert.deepEqual(idsOf(again), idsOf(taken));
  });

  const leave: Record<string, (q: RunningEngine, task: TaskView) => Promise<unknown>> = {
    "is acked": (q, task) => q.ack(task),
    "is buried": (q, task) => q.bury(task),
    "is released with a delay": (q, task) => q.release(task, 1_000),
    "is deleted": (q, task) => q.engine.deleteTask("t", task.id),
  };
  for (const [how, leaving] of Object.entries(leave)) {
    test(`those who wait get its next task when the leased one ${how}`, async (t) => {
      const q = await startEngine(t);
      await withTasks(q, a, a);
      const first = await q.takeOne("t");
      const waiting = q.take("t", { waitMs: 60_000 });
      await leaving(q, first);
      await q.step(60_000);
      assert.deepEqual(idsOf(await waiting), [2]);
    });
  }
});
