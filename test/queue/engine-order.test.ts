import assert from "node:assert/strict";
import { describe } from "node:test";
import { type TubeKind, tubeKinds } from "../../src/queue/repository.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, startEngine, text } from "./running-engine.ts";

const timed: readonly TubeKind[] = ["FIFOTTL", "LIMFIFOTTL", "UTUBETTL"];

describe("order of takes", () => {
  for (const kind of tubeKinds) {
    const settings = kind === "LIMFIFOTTL" ? { capacity: 100 } : {};

    test(`${kind}: put order, ids from 1 on`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", kind, settings);
      assert.deepEqual(await q.put("t", {}, {}), [1, 2]);
      assert.deepEqual(await q.put("t", {}), [3]);
      assert.deepEqual(await q.takenIds("t", 2), [1, 2]);
      assert.deepEqual(await q.takenIds("t", 2), [3]);
      assert.deepEqual(await q.takenIds("t", 2), []);
    });

    test(`${kind}: a released task takes its old place`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", kind, settings);
      await q.put("t", {}, {}, {});
      const first = await q.takeOne("t");
      const second = await q.takeOne("t");
      await q.release(second);
      await q.release(first);
      assert.deepEqual(await q.takenIds("t", 10), [1, 2, 3]);
    });
  }

  for (const kind of timed) {
    test(`${kind}: the smallest priority first, then put order`, async (t) => {
      const q = await startEngine(t);
      const capacity = kind === "LIMFIFOTTL" ? { capacity: 100 } : {};
      await q.tube("t", kind, { ...capacity, defaultPriority: 5 });
      const priorities = [5, 0, undefined, 4_294_967_295, 0, 1];
      await q.put("t", ...priorities.map((priority) => ({ priority })));
      assert.deepEqual(await q.takenIds("t", 3), [2, 5, 6]);
      await q.put("t", { priority: 0 });
      assert.deepEqual(await q.takenIds("t", 10), [7, 1, 3, 4]);
    });
  }

  test("a task whose delay is over takes its own place", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { delayMs: 1_000 }, {}, { delayMs: 500, priority: 0 }, {});
    assert.deepEqual(await q.takenIds("t", 1), [2]);
    await q.step(1_000);
    assert.deepEqual(await q.takenIds("t", 10), [1, 3, 4]);
  });

  test("a take ends at 3 MiB, but has one task at least", async (t) => {
    const q = await startEngine(t, { limits: { maxTaskBytes: 2 ** 23 } });
    await q.tube("t", "FIFO");
    const mebibytes = (count: number) => text("x".repeat(count * 2 ** 20));
    await q.put("t", mebibytes(2), mebibytes(1), mebibytes(1), mebibytes(5), mebibytes(1));
    assert.deepEqual(await q.takenIds("t", 10), [1, 2]);
    assert.deepEqual(await q.takenIds("t", 10), [3]);
    assert.deepEqual(await q.takenIds("t", 10), [4]);
    assert.deepEqual(await q.takenIds("t", 10), [5]);
  });
});

describe("what a kind lacks is refused, and nothing is put", () => {
  const fields = {
    priority: { priority: 0 },
    delay: { delayMs: 0 },
    ttl: { ttlMs: 1 },
    ttr: { ttrMs: 1 },
    group: { group: "g" },
  };
  const lacks: Record<TubeKind, readonly string[]> = {
    FIFO: ["priority", "delay", "ttl", "ttr", "group"],
    FIFOTTL: ["group"],
    LIMFIFOTTL: ["group"],
    UTUBE: ["priority", "delay", "ttl", "ttr"],
    UTUBETTL: [],
  };
  for (const kind of tubeKinds) {
    test(`${kind}: ${lacks[kind].join(", ") || "nothing"}`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", kind, kind === "LIMFIFOTTL" ? { capacity: 10 } : {});
      for (const [field, asked] of Object.entries(fields)) {
        if (!lacks[kind].includes(field)) {
          await q.put("t", asked);
          await q.engine.truncateTube("t");
          continue;
        }
        await assert.rejects(q.putAll("t", [{}, asked]), {
          reason: "INVALID_PARAMS",
          violations: [
            { field: `tasks[1].${field}`, description: "a tube of this kind does not have it" },
          ],
        });
      }
      assert.equal(q.statistics("t").total, 0);
    });
  }

  test("a put into a tube that is not there", async (t) => {
    const q = await startEngine(t);
    await assertReason(q.putAll("none", [{}]), "TUBE_NOT_FOUND");
    await assertReason(q.take("none"), "TUBE_NOT_FOUND");
  });

  test("a delay of a release, where tasks have none", async (t) => {
    const q = await startEngine(t);
    for (const kind of ["FIFO", "UTUBE"] as const) {
      await q.tube(kind, kind);
      await q.put(kind, {});
      const task = await q.takeOne(kind);
      await assertReason(q.release(task, 0), "INVALID_PARAMS");
      const failures = await q.engine.settleAll([
        { kind: "release", lease: task.lease, delayMs: 1, reason: "" },
      ]);
      assert.equal(failures[0]?.error.reason, "INVALID_PARAMS");
      await q.ack(task);
    }
  });
});

describe("those who wait", () => {
  test("are served first come first served, one task each", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const served: string[] = [];
    const waiting = ["a", "b", "c"].map(async (name) => {
      const [task] = await q.take("t", { waitMs: 1_000 });
      served.push(`${name}${task?.id}`);
    });
    assert.equal(q.statistics("t").waitingTakers, 3);
    await q.put("t", {});
    await q.put("t", {}, {});
    await Promise.all(waiting);
    assert.deepEqual(served, ["a1", "b2", "c3"]);
    assert.equal(q.statistics("t").waitingTakers, 0);
  });

  test("wait for the first task only", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const many = q.take("t", { maxTasks: 10, waitMs: 1_000 });
    const next = q.take("t", { maxTasks: 10, waitMs: 1_000 });
    await q.put("t", {}, {});
    assert.deepEqual(idsOf(await many), [1, 2]);
    await q.put("t", {});
    assert.deepEqual(idsOf(await next), [3]);
  });

  test("get nothing when their time is over, and are not served later", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const short = q.take("t", { waitMs: 1_000 });
    const long = q.take("t", { waitMs: 1_001 });
    await q.step(1_000);
    assert.deepEqual(await short, []);
    await q.put("t", {});
    assert.deepEqual(idsOf(await long), [1]);
  });

  test("are not overtaken by a take that does not wait", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.engine.pauseTube("t", Infinity);
    await q.put("t", {});
    const waiting = q.take("t", { waitMs: 1_000 });
    const resumed = q.engine.pauseTube("t", 0);
    assert.deepEqual(await q.take("t"), []);
    assert.deepEqual(idsOf(await waiting), [1]);
    await resumed;
  });

  test("that are cancelled take nothing, and the next is served", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const first = new AbortController();
    const cancelled = q.take("t", { waitMs: 1_000, signal: first.signal });
    const next = q.take("t", { waitMs: 1_000 });
    first.abort(new Error("gone"));
    await assert.rejects(cancelled, /gone/);
    await q.put("t", {});
    assert.equal((await next)[0]?.attempt, 1);
  });

  test("a task is given back whose taker went away with it on the way", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const letGo = q.store.hold();
    const taker = new AbortController();
    const taking = q.take("t", { signal: taker.signal });
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1 });
    taker.abort(new Error("gone"));
    letGo();
    await assert.rejects(taking, /gone/);
    assert.deepEqual(q.counts("t"), { ready: 2 });
    const again = await q.takeOne("t");
    assert.deepEqual([again.id, again.attempt], [1, 1]);
  });

  test("a take that is cancelled before it begins takes nothing", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const signal = AbortSignal.abort(new Error("gone"));
    await assert.rejects(q.take("t", { waitMs: 1_000, signal }), /gone/);
    assert.equal(q.statistics("t").waitingTakers, 0);
    await q.put("t", {});
    await assert.rejects(q.take("t", { signal }), /gone/);
    assert.equal((await q.takeOne("t")).attempt, 1);
  });

  test("ten thousand: each put wakes one, in order", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const count = 10_000;
    const served: number[] = [];
    const waiting = Array.from({ length: count }, async (_, place) => {
      const [task] = await q.take("t", { waitMs: 60_000 });
      assert.equal(task?.id, place + 1);
      served.push(place);
    });
    assert.equal(q.statistics("t").waitingTakers, count);
    for (let put = 0; put < 10; put++) {
      await q.put("t", {});
      await q.idle();
      assert.equal(q.statistics("t").waitingTakers, count - put - 1);
      assert.equal(served.at(-1), put);
    }
    await q.put("t", ...Array(count - 10).fill({}));
    await Promise.all(waiting);
    assert.deepEqual(
      served,
      Array.from({ length: count }, (_, place) => place),
    );
  });
});
