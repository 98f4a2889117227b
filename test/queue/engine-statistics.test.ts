import assert from "node:assert/strict";
import { describe } from "node:test";
import type { TaskView } from "../../src/queue/rules/task-view.ts";
import { test } from "../support/on-each-storage.ts";
import { assertThrows, startEngine } from "./running-engine.ts";

const SECOND = 1_000;

describe("statistics", () => {
  test("count tasks by state, calls by kind, and what is done and expired", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", {}, {}, {}, {}, { delayMs: SECOND }, { ttlMs: SECOND });
    const [a, b, c, d] = await q.take("t", { maxTasks: 4 });
    if (!a || !b || !c || !d) assert.fail();
    await q.touch(a, SECOND);
    await q.ack(a);
    await q.release(b);
    await q.bury(c);
    await q.step(SECOND);
    await q.engine.buryTask("t", 2, "");
    await q.engine.kickTasks("t", 1);
    await q.engine.deleteTask("t", 5);
    await q.take("t");
    assert.deepEqual(q.statistics("t"), {
      tube: "t",
      ready: 0,
      leased: 2,
      buried: 1,
      delayed: 0,
      total: 3,
      calls: { put: 1, take: 2, ack: 1, release: 1, bury: 2, kick: 1, touch: 1, delete: 1 },
      totals: { put: 6, taken: 5, acked: 1, released: 1, buried: 2, kicked: 1, deleted: 1 },
      done: 2,
      expired: 1,
      oldestReadyAgeMs: undefined,
      waitingTakers: 0,
      waitingPuts: 0,
    });
  });

  test("count since the start", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    await q.ack(await q.takeOne("t"));
    await q.restart();
    const { ready, total, done, calls } = q.statistics("t");
    assert.deepEqual({ ready, total, done }, { ready: 1, total: 1, done: 0 });
    assert.ok(Object.values(calls).every((count) => count === 0));
  });

  test("count a batch as one call of its verb in each tube, however it is mixed", async (t) => {
    const q = await startEngine(t);
    for (const name of ["t", "u"]) {
      await q.tube(name, "FIFO");
      await q.put(name, {}, {}, {});
    }
    const inT = await q.take("t", { maxTasks: 3 });
    const inU = await q.take("u", { maxTasks: 3 });
    const mixed = inT.flatMap((task, index) => [task, inU[index] ?? task]);
    await q.engine.settleAll(mixed.map(({ lease }) => ({ kind: "ack", lease })));
    assert.equal(q.statistics("t").calls.ack, 1);
    assert.equal(q.statistics("u").calls.ack, 1);
    assert.equal(q.statistics("t").done, 3);
  });

  test("are of one tube, or of all by name", async (t) => {
    const q = await startEngine(t);
    for (const name of ["c", "a", "b"]) await q.tube(name, "FIFO");
    assert.deepEqual(
      q.engine.listStatistics("", 10).statistics.map(({ tube }) => tube),
      ["a", "b", "c"],
    );
    assert.deepEqual([q.engine.statistics("b").tube], ["b"]);
    assertThrows(() => q.engine.statistics("none"), "TUBE_NOT_FOUND");
  });
});

describe("the age of the oldest ready task", () => {
  test("is that of the first put among those that are READY", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    const age = () => q.statistics("t").oldestReadyAgeMs;
    assert.equal(age(), undefined);
    await q.put("t", { delayMs: 4 * SECOND });
    await q.step(SECOND);
    await q.put("t", {});
    await q.step(SECOND);
    await q.put("t", { priority: 0 }, { priority: 0 });
    assert.equal(age(), SECOND);
    const second = await q.takeOne("t");
    assert.equal(second.id, 2);
    assert.equal(age(), 0);
    await q.step(SECOND);
    assert.equal(age(), SECOND);
    await q.release(second);
    assert.equal(age(), 2 * SECOND);
    await q.step(SECOND);
    assert.equal(age(), 4 * SECOND);
    await q.engine.buryTask("t", 1, "");
    assert.equal(age(), 3 * SECOND);
    await q.restart();
    assert.equal(age(), 3 * SECOND);
    await q.engine.kickTasks("t", 1);
    assert.equal(age(), 4 * SECOND);
    await q.engine.truncateTube("t");
    assert.equal(age(), undefined);
  });

  for (const asking of ["often", "seldom"]) {
    test(`is right, however tasks come and go, when one asks ${asking}`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", "FIFO");
      const puts = 30;
      for (let put = 0; put < puts; put++) {
        await q.put("t", {});
        await q.step(SECOND);
      }
      const expected = (id: number) => (puts - id + 1) * SECOND;
      const oldest = () => q.statistics("t").oldestReadyAgeMs;
      q.engine.giveBack(await q.take("t", { maxTasks: 30 }));
      // More often than the engine takes note of.
      for (let round = 0; round < 100; round++) {
        const tasks = await q.take("t", { maxTasks: 20 });
        if (asking === "often" || round === 0) assert.equal(oldest(), expected(21));
        q.engine.giveBack(tasks);
        if (asking === "often") assert.equal(oldest(), expected(1));
      }
      assert.equal(oldest(), expected(1));
      await q.take("t", { maxTasks: 20 });
      assert.equal(oldest(), expected(21));
    });
  }
});

test("tasks are counted by what happened to them, however they came and went", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFO", { maxAttempts: 2 });
  await q.put("t", ...Array.from({ length: 10 }, () => ({})), { dedupKey: "k" });
  await q.put("t", { dedupKey: "k" });
  const delivered: TaskView[] = [];
  const consumer = q.engine.consume({
    tubes: ["t"],
    prefetch: 8,
    session: "",
    deliver: (tasks) => delivered.push(...tasks),
    ended: () => {},
  });
  await q.idle();
  const leases = delivered.map(({ lease }) => lease);
  consumer.setPrefetch(0);
  await consumer.settle(leases.slice(0, 5).map((lease) => ({ kind: "ack", lease })));
  consumer.giveBack(leases.slice(5, 6));
  await consumer.settle([{ kind: "bury", lease: leases[6] ?? "", reason: "" }]);
  q.engine.endConsumer(consumer, []);
  await q.engine.kickTasks("t", 5);
  await q.engine.deleteTask("t", 11);
  await q.idle();
  assert.deepEqual(q.statistics("t").totals, {
    put: 11,
    taken: 8,
    acked: 5,
    released: 2,
    buried: 1,
    kicked: 1,
    deleted: 1,
  });
});

test("statistics of many tubes come in pages, by name", async (t) => {
  const q = await startEngine(t);
  const names = Array.from({ length: 25 }, (_, nth) => `t${String(nth).padStart(2, "0")}`);
  for (const name of names.toReversed()) await q.tube(name, "FIFO");
  const seen: string[] = [];
  for (let more = true; more; ) {
    const page = q.engine.listStatistics(seen.at(-1) ?? "", 10);
    assert.ok(page.statistics.length <= 10);
    seen.push(...page.statistics.map(({ tube }) => tube));
    more = page.more;
  }
  assert.deepEqual(seen, names);
});
