import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { type RunningEngine, startEngine } from "./running-engine.ts";

const SECOND = 1_000;
const WINDOW = 60 * SECOND;
const k = { dedupKey: "k" };

/** Whether a put with the key is answered with the first one's id. */
async function isDuplicate(q: RunningEngine, first: number, dedupKey = "k"): Promise<boolean> {
  const { ids, duplicates } = await q.putAll("t", [{ dedupKey }]);
  assert.equal(ids[0] === first, duplicates.length === 1);
  return duplicates.length === 1;
}

describe("a dedup key", () => {
  test("refuses a second put while its task is alive, in whatever state", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ...k, delayMs: SECOND });
    assert.ok(await isDuplicate(q, 1));
    await q.step(SECOND);
    assert.ok(await isDuplicate(q, 1));
    const task = await q.takeOne("t");
    assert.ok(await isDuplicate(q, 1));
    await q.bury(task);
    await q.crash();
    assert.ok(await isDuplicate(q, 1));
    await q.engine.kickTasks("t", 1);
    await q.ack(await q.takeOne("t"));
    assert.ok(!(await isDuplicate(q, 1)));
  });

  test("is compared byte by byte, in its tube alone", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.tube("u", "FIFO");
    const keys = ["k", "K", "k ", "k\0", "é", "e\u0301", "__proto__", "constructor"];
    const { duplicates } = await q.putAll(
      "t",
      keys.map((dedupKey) => ({ dedupKey })),
    );
    assert.deepEqual(duplicates, []);
    assert.deepEqual((await q.putAll("u", [k])).duplicates, []);
    await q.crash();
    for (const [index, key] of keys.entries()) assert.ok(await isDuplicate(q, index + 1, key));
  });

  test("counts within a batch too", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const outcome = await q.putAll("t", [k, {}, k, { dedupKey: "other" }, k]);
    assert.deepEqual(outcome, { ids: [1, 2, 1, 3, 1], duplicates: [2, 4] });
    assert.deepEqual(q.counts("t"), { ready: 3 });
  });

  test("of a put that is under way is a duplicate, answered when the first is durable", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const letGo = q.store.hold();
    const first = q.putAll("t", [k]);
    await q.idle();
    let answered = false;
    const second = q.putAll("t", [k]).finally(() => {
      answered = true;
    });
    await q.idle();
    assert.ok(!answered);
    letGo();
    assert.deepEqual((await first).ids, [1]);
    const { ids, duplicates } = await second;
    assert.deepEqual({ ids, duplicates }, { ids: [1], duplicates: [0] });
  });
});

describe("a dedup window", () => {
  test("refuses a second put after the task is gone, until it is over", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
    await q.put("t", k);
    await q.ack(await q.takeOne("t"));
    await q.step(WINDOW - 1);
    assert.ok(await isDuplicate(q, 1));
    await q.step(1);
    assert.ok(!(await isDuplicate(q, 1)));
  });

  test("does not let go of a key whose task is alive", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { dedupWindowMs: SECOND });
    await q.put("t", k);
    await q.step(10 * SECOND);
    assert.ok(await isDuplicate(q, 1));
    await q.ack(await q.takeOne("t"));
    assert.ok(!(await isDuplicate(q, 1)));
  });

  test("survives restarts and crashes, and ends where it would have", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
    await q.put("t", k, { dedupKey: "alive" });
    await q.ack(await q.takeOne("t"));
    await q.crash(SECOND);
    assert.ok(await isDuplicate(q, 1));
    await q.restart(WINDOW - SECOND - 1);
    assert.ok(await isDuplicate(q, 1));
    await q.crash(1);
    assert.ok(!(await isDuplicate(q, 1)));
    assert.ok(await isDuplicate(q, 2, "alive"));
  });

  test("that was over while the server was down is over", async (t) => {
    const q = await startEngine(t, { slowness: 1 });
    await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
    await q.put("t", k);
    await q.ack(await q.takeOne("t"));
    await q.crash(WINDOW);
    assert.ok(!(await isDuplicate(q, 1)));
  });

  test("of a key put again right after its first window counts from the second put", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
    await q.put("t", k);
    await q.ack(await q.takeOne("t"));
    // The end of the first window is noticed by the second put itself.
    q.clock.leap(WINDOW);
    const [second] = await q.put("t", k);
    await q.ack(await q.takeOne("t"));
    assert.notEqual(second, 1);
    await q.crash(WINDOW - 1);
    assert.ok(await isDuplicate(q, second as number));
    await q.step(1);
    assert.ok(!(await isDuplicate(q, second as number)));
  });

  test("applies to puts from its change on", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", k);
    await q.engine.updateTube("t", { dedupWindowMs: WINDOW });
    await q.put("t", { dedupKey: "later" });
    await q.ack(await q.takeOne("t"));
    await q.ack(await q.takeOne("t"));
    assert.ok(!(await isDuplicate(q, 1)));
    assert.ok(await isDuplicate(q, 2, "later"));
  });

  test("ends with its tube", async (t) => {
    const q = await startEngine(t);
    for (const life of ["first", "second"]) {
      await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
      assert.deepEqual(await q.putAll("t", [k]), { ids: [1], duplicates: [] }, life);
      await q.engine.deleteTube("t", false);
      await q.crash();
    }
    await q.step(WINDOW);
  });

  test("is left by a truncated task, as by any that is gone", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { dedupWindowMs: WINDOW });
    await q.put("t", k);
    await q.engine.truncateTube("t");
    assert.ok(await isDuplicate(q, 1));
  });
});
