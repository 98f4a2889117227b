import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, type RunningEngine, startEngine, text } from "./running-engine.ts";

const SECOND = 1_000;

function limited(q: RunningEngine, capacity: number): Promise<void> {
  return q.tube("t", "LIMFIFOTTL", { capacity });
}

describe("a tube with a capacity", () => {
  test("counts every live task: ready, leased, delayed, buried", async (t) => {
    const q = await startEngine(t);
    await limited(q, 4);
    await q.put("t", {}, {}, { delayMs: SECOND }, {});
    const leased = await q.takeOne("t");
    await q.engine.buryTask("t", 2, "");
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1, delayed: 1, buried: 1 });
    await assertReason(q.put("t", {}), "TUBE_FULL");
    await q.crash();
    await assertReason(q.put("t", {}), "TUBE_FULL");
    await assertReason(q.ack(leased), "LEASE_LOST");
    await q.ack(await q.takeOne("t"));
    await q.put("t", {});
    await assertReason(q.put("t", {}), "TUBE_FULL");
  });

  test("lets a put wait for room, and tells it when its time is over", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    await q.put("t", {});
    const full = assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "TUBE_FULL");
    const admitted = q.putAll("t", [{}], { waitMs: SECOND + 1 });
    assert.equal(q.statistics("t").waitingPuts, 2);
    await q.step(SECOND);
    await full;
    await q.ack(await q.takeOne("t"));
    assert.deepEqual((await admitted).ids, [2]);
    assert.equal(q.statistics("t").waitingPuts, 0);
  });

  test("admits waiting puts first come first served; a batch waits for room for all of it", async (t) => {
    const q = await startEngine(t);
    await limited(q, 3);
    await q.put("t", {}, {}, {});
    const admitted: string[] = [];
    const waiting = (
      [
        ["batch", 2],
        ["single", 1],
      ] as const
    ).map(async ([name, count]) => {
      const { ids } = await q.putAll("t", Array(count).fill({}), { waitMs: SECOND });
      admitted.push(`${name} ${ids}`);
    });
    await q.ack(await q.takeOne("t"));
    await q.idle();
    assert.deepEqual(admitted, []);
    // One that comes now does not get past them, though there is room for it.
    await assertReason(q.put("t", {}), "TUBE_FULL");
    await q.ack(await q.takeOne("t"));
    await q.idle();
    assert.deepEqual(admitted, ["batch 4,5"]);
    await q.ack(await q.takeOne("t"));
    await Promise.all(waiting);
    assert.deepEqual(admitted, ["batch 4,5", "single 6"]);
  });

  test("those behind a put that gives up have its room", async (t) => {
    const q = await startEngine(t);
    await limited(q, 2);
    await q.put("t", {});
    const caller = new AbortController();
    const refused = [
      assertReason(q.putAll("t", [{}, {}], { waitMs: SECOND }), "TUBE_FULL"),
      assert.rejects(q.putAll("t", [{}, {}], { waitMs: 9_999, signal: caller.signal }), /gone/),
    ];
    const single = q.putAll("t", [{}], { waitMs: 2 * SECOND });
    await q.step(SECOND);
    assert.equal(q.statistics("t").waitingPuts, 2);
    caller.abort(new Error("gone"));
    assert.deepEqual((await single).ids, [2]);
    await Promise.all(refused);
  });

  test("a put that was cancelled before it began does not wait", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    await q.put("t", {});
    const signal = AbortSignal.abort(new Error("gone"));
    await assert.rejects(q.putAll("t", [{}], { waitMs: SECOND, signal }), /gone/);
    assert.equal(q.statistics("t").waitingPuts, 0);
  });

  test("a larger capacity lets waiting puts in; a smaller one removes nothing", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    await q.put("t", {});
    const waiting = q.putAll("t", [{}, {}], { waitMs: SECOND });
    await q.engine.updateTube("t", { capacity: 2 });
    assert.equal(q.statistics("t").waitingPuts, 1);
    await q.engine.updateTube("t", { capacity: 3 });
    assert.deepEqual((await waiting).ids, [2, 3]);
    await q.engine.updateTube("t", { capacity: 1 });
    assert.deepEqual(q.counts("t"), { ready: 3 });
    await q.ack(await q.takeOne("t"));
    await assertReason(q.put("t", {}), "TUBE_FULL");
  });

  test("makes room when tasks are acked, deleted, expired, truncated", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    const leave: readonly (() => Promise<unknown>)[] = [
      async () => q.ack(await q.takeOne("t")),
      async () => q.engine.deleteTask("t", 2),
      () => q.step(60 * SECOND),
      () => q.engine.truncateTube("t"),
    ];
    await q.put("t", { ttlMs: 60 * SECOND });
    for (const [index, leaving] of leave.entries()) {
      const waiting = q.putAll("t", [{ ttlMs: 60 * SECOND }], { waitMs: 3_600 * SECOND });
      await leaving();
      assert.deepEqual((await waiting).ids, [index + 2]);
    }
  });

  test("is never passed by puts at the same time", async (t) => {
    const q = await startEngine(t);
    await limited(q, 10);
    const puts = Array.from({ length: 30 }, () => q.put("t", {}));
    const results = await Promise.allSettled(puts);
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 10);
    assert.deepEqual(q.counts("t"), { ready: 10 });
  });

  test("answers a batch that will never fit only when its time is over", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    const waiting = assertReason(q.putAll("t", [{}, {}], { waitMs: SECOND }), "TUBE_FULL");
    await q.step(SECOND);
    await waiting;
  });

  test("answers a duplicate though it is full", async (t) => {
    const q = await startEngine(t);
    await limited(q, 1);
    await q.put("t", { dedupKey: "k" });
    const twice = await q.putAll("t", [{ dedupKey: "k" }, { dedupKey: "k" }]);
    assert.deepEqual(twice, { ids: [1, 1], duplicates: [0, 1] });
    // A key twice in one batch needs room once.
    await q.ack(await q.takeOne("t"));
    const batch = await q.putAll("t", [{ dedupKey: "new" }, { dedupKey: "new" }]);
    assert.deepEqual(batch, { ids: [2, 2], duplicates: [1] });
    assert.deepEqual(idsOf(await q.take("t")), [2]);
  });
});

describe("tasks of temporary tubes", () => {
  test("take no more memory than they may, and acks make room again", async (t) => {
    const q = await startEngine(t, { limits: { temporaryBytes: 10_000 } });
    const made = { kind: "FIFO", temporary: true, settings: {} } as const;
    for (const name of ["a", "b"]) await q.engine.createTube({ name, ...made }, false);
    await q.tube("kept", "FIFO");
    const thousand = text("x".repeat(1_000));
    await q.put("a", ...Array.from({ length: 4 }, () => thousand));
    // All tubes together, and all or none of a batch.
    await assertReason(q.put("b", ...Array.from({ length: 4 }, () => thousand)), "MEMORY_FULL");
    await q.put("b", thousand, thousand, thousand);
    await assertReason(q.put("a", thousand), "MEMORY_FULL");
    assert.deepEqual(q.counts("a"), { ready: 4 });
    await q.put("kept", thousand);
    await q.ack(await q.takeOne("a"));
    await q.put("b", thousand);
    await q.engine.deleteTube("b", true);
    await q.put("a", thousand, thousand, thousand, thousand);
  });

  test("count beside their payloads, so that empty ones are bounded too", async (t) => {
    const q = await startEngine(t, { limits: { temporaryBytes: 10_000 } });
    const made = { kind: "FIFO", temporary: true, settings: {} } as const;
    await q.engine.createTube({ name: "t", ...made }, false);
    let kept = 0;
    await assertReason(
      (async () => {
        for (; ; kept++) await q.put("t", {});
      })(),
      "MEMORY_FULL",
    );
    assert.ok(kept > 10 && kept < 100);
    await q.restart();
    // Temporary tasks are gone with the process, and so is what they took.
    await q.put("t", ...Array.from({ length: kept }, () => ({})));
  });
});
