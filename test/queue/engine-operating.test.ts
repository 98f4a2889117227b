import assert from "node:assert/strict";
import { describe } from "node:test";
import { state } from "../../src/queue/structures/task-state.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, startEngine, text } from "./running-engine.ts";

const SECOND = 1_000;

describe("looking", () => {
  test("GetTask shows a task with its payload, never its lease, and changes nothing", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBETTL");
    const attributes = { trace: "1", ["__proto__"]: "2" };
    await q.put("t", {
      payload: { format: "json", value: '{"b":1, "a":1.0}', attributes },
      size: 20,
      priority: 3,
      ttlMs: 60 * SECOND,
      ttrMs: SECOND,
      group: "g",
      dedupKey: "k",
    });
    const task = await q.takeOne("t");
    const shown = await q.engine.getTask("t", 1);
    assert.deepEqual(shown, { ...task, lease: "" });
    assert.deepEqual(shown.payload, { format: "json", value: '{"b":1, "a":1.0}', attributes });
    assert.deepEqual([shown.group, shown.dedupKey, shown.priority], ["g", "k", 3]);
    await q.ack(task);
    await assertReason(q.engine.getTask("t", 1), "TASK_NOT_FOUND");
    await assertReason(q.engine.getTask("t", 2), "TASK_NOT_FOUND");
    await assertReason(q.engine.getTask("none", 1), "TUBE_NOT_FOUND");
  });

  test("a task whose put is not durable yet is not there", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const letGo = q.store.hold();
    const put = q.put("t", {});
    await q.idle();
    await assertReason(q.engine.getTask("t", 1), "TASK_NOT_FOUND");
    await assertReason(q.engine.deleteTask("t", 1), "TASK_NOT_FOUND");
    assert.deepEqual((await q.engine.listTasks("t", undefined, 0, 9)).tasks, []);
    assert.equal(q.statistics("t").total, 0);
    assert.equal(await q.take("t").then(({ length }) => length), 0);
    letGo();
    await put;
    assert.equal(await q.stateOf("t", 1), "READY");
  });

  test("ListTasks goes by id, by state, in pages that skip nothing when earlier tasks go", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", ...Array(10).fill({ priority: 1 }), { priority: 0 }, { delayMs: SECOND });
    await q.engine.buryTask("t", 2, "");
    const taken = await q.takeOne("t");
    assert.equal(taken.id, 11);
    const list = async (which: keyof typeof state) => {
      const { tasks } = await q.engine.listTasks("t", state[which], 0, 100);
      return idsOf(tasks);
    };
    assert.deepEqual(await list("BURIED"), [2]);
    assert.deepEqual(await list("LEASED"), [11]);
    assert.deepEqual(await list("DELAYED"), [12]);
    assert.deepEqual(await list("READY"), [1, 3, 4, 5, 6, 7, 8, 9, 10]);

    const first = await q.engine.listTasks("t", undefined, 0, 3);
    assert.deepEqual([idsOf(first.tasks), first.after], [[1, 2, 3], 3]);
    for (const id of [1, 2, 3, 4]) await q.engine.deleteTask("t", id);
    const second = await q.engine.listTasks("t", undefined, 3, 7);
    assert.deepEqual([idsOf(second.tasks), second.after], [[5, 6, 7, 8, 9, 10, 11], 11]);
    const last = await q.engine.listTasks("t", undefined, 11, 7);
    assert.deepEqual([idsOf(last.tasks), last.after], [[12], undefined]);
    assert.ok([...second.tasks, ...last.tasks].every(({ lease }) => lease === ""));
  });

  test("a page ends at 3 MiB, but has one task at least", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const large = text("x".repeat(2 * 2 ** 20));
    await q.put("t", large, large, text("small"));
    const first = await q.engine.listTasks("t", undefined, 0, 10);
    assert.deepEqual([idsOf(first.tasks), first.after], [[1], 1]);
    const second = await q.engine.listTasks("t", undefined, 1, 10);
    assert.deepEqual([idsOf(second.tasks), second.after], [[2, 3], undefined]);
  });
});

describe("DeleteTask", () => {
  test("removes a task in any state, for good, and a lease of it is lost", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { priority: 0 }, {}, { delayMs: SECOND }, { priority: 9 });
    const task = await q.takeOne("t");
    await q.engine.buryTask("t", 2, "");
    for (const id of [1, 2, 3, 4]) {
      const gone = await q.engine.deleteTask("t", id);
      assert.deepEqual([gone.id, gone.state], [id, state.DONE]);
      await assertReason(q.engine.deleteTask("t", id), "TASK_NOT_FOUND");
    }
    await assertReason(q.ack(task), "LEASE_LOST");
    const { total, done, expired } = q.statistics("t");
    assert.deepEqual({ total, done, expired }, { total: 0, done: 4, expired: 0 });
    await q.crash(SECOND);
    assert.equal(q.statistics("t").total, 0);
  });

  test("of a task whose release is on its way removes what the release leaves", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const [released, acked] = await q.take("t", { maxTasks: 2 });
    if (!released || !acked) assert.fail();
    const letGo = q.store.hold();
    const settled = [q.release(released), q.ack(acked)];
    await q.idle();
    const deleted = q.engine.deleteTask("t", 1);
    const none = assertReason(q.engine.deleteTask("t", 2), "TASK_NOT_FOUND");
    letGo();
    await Promise.all([...settled, deleted, none]);
    await q.crash();
    assert.deepEqual(q.counts("t"), {});
  });

  test("of a task whose release fails removes it all the same, or tells that it does not", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    const letGo = q.store.hold();
    const released = assertReason(q.release(task), "STORAGE_UNAVAILABLE");
    await q.idle();
    const deleted = q.engine.deleteTask("t", 1);
    q.store.refuseCommits();
    letGo();
    await released;
    await deleted;
    await q.crash();
    assert.deepEqual(q.counts("t"), {});
  });
});

describe("TruncateTube", () => {
  test("removes every task, tells how many, and counts nothing as done", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBETTL");
    await q.tube("other", "FIFO");
    await q.put("other", {});
    await q.put("t", { group: "g" }, { group: "g" }, { delayMs: SECOND }, {});
    const task = await q.takeOne("t");
    await q.engine.buryTask("t", 4, "");
    assert.equal(await q.engine.truncateTube("t"), 4);
    const { total, done, expired } = q.statistics("t");
    assert.deepEqual({ total, done, expired }, { total: 0, done: 0, expired: 0 });
    await assertReason(q.ack(task), "LEASE_LOST");
    assert.equal(await q.engine.truncateTube("t"), 0);
    await q.put("t", { group: "g" });
    assert.deepEqual(await q.takenIds("t", 9), [5]);
    await q.crash(SECOND);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assert.deepEqual(q.counts("other"), { ready: 1 });
  });

  test("takes along what is on its way to the store, durably, not what comes later", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", {}, {}, {}, {});
    const [released, acked, buried] = await q.take("t", { maxTasks: 3 });
    if (!released || !acked || !buried) assert.fail();
    const letGo = q.store.hold();
    const settled = [q.release(released), q.ack(acked), q.bury(buried)];
    const truncated = q.engine.truncateTube("t");
    const put = q.put("t", {});
    await q.idle();
    letGo();
    // What is answered is durable: nothing may need another commit after this.
    assert.equal(await truncated, 3);
    await q.crash();
    await Promise.all([...settled, put]);
    assert.deepEqual((await q.engine.listTasks("t", undefined, 0, 9)).tasks.length, 1);
    assert.deepEqual(await q.takenIds("t", 9), [5]);
  });
});

describe("ReleaseAll", () => {
  test("gives up every lease of a tube, at once and durably, and tells how many", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "UTUBETTL");
    await q.tube("other", "FIFO");
    await q.put("t", { group: "a" }, { group: "a" }, { group: "b" });
    await q.put("other", {});
    const session = q.engine.openSession(60 * SECOND);
    const [first] = await q.take("t", { maxTasks: 9, session: session.id });
    await q.takeOne("other");
    assert.equal(await q.engine.releaseAll("t"), 2);
    assert.deepEqual(q.counts("t"), { ready: 3 });
    assert.deepEqual(q.counts("other"), { leased: 1 });
    if (first) await assertReason(q.ack(first), "LEASE_LOST");
    assert.deepEqual(await q.takenIds("t", 9), [1, 3]);
    assert.equal(await q.engine.releaseAll("other"), 1);
    assert.equal(await q.engine.releaseAll("other"), 0);
  });

  test("ends a task whose ttl is over", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtrMs: 60 * SECOND });
    await q.put("t", { ttlMs: SECOND });
    await q.takeOne("t");
    await q.step(SECOND);
    const waiting = q.take("t", { waitMs: SECOND });
    await q.engine.releaseAll("t");
    await q.step(SECOND);
    assert.deepEqual(await waiting, []);
    assert.equal(q.statistics("t").expired, 1);
  });
});

describe("settling", () => {
  test("a batch settles what it can, and lists what it cannot with the reasons", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.tube("u", "FIFO");
    await q.put("t", {}, {}, {}, {});
    await q.put("u", {});
    const tasks = await q.take("t", { maxTasks: 4 });
    const [a = "", b = "", c = "", d = ""] = tasks.map(({ lease }) => lease);
    const { lease: e } = await q.takeOne("u");
    const failures = await q.engine.settleAll([
      { kind: "ack", lease: a },
      { kind: "release", lease: b, delayMs: SECOND, reason: "why" },
      { kind: "ack", lease: a },
      { kind: "bury", lease: c, reason: "bad" },
      { kind: "touch", lease: d, extendMs: SECOND },
      { kind: "ack", lease: "" },
      { kind: "ack", lease: "never.was" },
      { kind: "release", lease: e, delayMs: 0, reason: "" },
      { kind: "release", lease: d, delayMs: 0, reason: "" },
    ]);
    assert.deepEqual(
      failures.map(({ lease, error }) => [lease, error.reason]),
      [
        [a, "LEASE_LOST"],
        ["", "INVALID_PARAMS"],
        ["never.was", "LEASE_LOST"],
        [e, "INVALID_PARAMS"],
      ],
    );
    assert.deepEqual(q.counts("t"), { delayed: 1, buried: 1, ready: 1 });
    assert.deepEqual(q.counts("u"), { leased: 1 });
  });

  test("a lease is settled once; the second is LEASE_LOST, at the same time too", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    const released = q.release(task);
    await assertReason(q.ack(task), "LEASE_LOST");
    assert.equal((await released).state, state.READY);
    await q.takeOne("t");
    await assertReason(q.ack(task), "LEASE_LOST");
    await assertReason(q.touch(task, SECOND), "LEASE_LOST");
    await assertReason(q.ack({ ...task, lease: "" }), "INVALID_PARAMS");
  });

  test("is answered with the task as it is afterwards, without lease or payload", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", {}, {}, {}, {});
    const [a, b, c, d] = await q.take("t", { maxTasks: 4 });
    if (!a || !b || !c || !d) assert.fail();
    const answers = [await q.ack(a), await q.release(b), await q.bury(c, "x"), await q.touch(d, 1)];
    assert.deepEqual(
      answers.map((answer) => answer.state),
      [state.DONE, state.READY, state.BURIED, state.LEASED],
    );
    assert.ok(answers.every(({ lease, payload }) => lease === "" && payload === undefined));
  });
});
