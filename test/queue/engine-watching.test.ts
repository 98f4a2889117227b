import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Change, Watcher } from "../../src/queue/rules/watching.ts";
import { test } from "../support/on-each-storage.ts";
import {
  assertThrows,
  type RunningEngine,
  startEngine,
  stateName,
  text,
} from "./running-engine.ts";

const SECOND = 1_000;

/** What a watcher has seen since the last time, as `CHANGE id STATE`. */
async function seen(q: RunningEngine, watcher: Watcher): Promise<string[]> {
  await q.idle();
  const batch = await watcher.next();
  return (batch?.events ?? []).map(({ change, task }) =>
    task === undefined ? change : `${change} ${task.id} ${stateName(task)}`,
  );
}

describe("a watcher", () => {
  test("is told every change of a task, with the state that it leads to", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    const watcher = q.engine.watch("t", false);
    await q.put("t", {}, { delayMs: SECOND }, { ttlMs: SECOND });
    assert.deepEqual(await seen(q, watcher), ["PUT 1 READY", "PUT 2 DELAYED", "PUT 3 READY"]);
    await q.release(await q.takeOne("t"), 2 * SECOND, "why");
    assert.deepEqual(await seen(q, watcher), ["TAKEN 1 LEASED", "RELEASED 1 DELAYED"]);
    await q.step(SECOND);
    assert.deepEqual((await seen(q, watcher)).sort(), ["EXPIRED 3 DONE", "READY 2 READY"]);
    await q.bury(await q.takeOne("t"));
    await q.engine.kickTasks("t", 1);
    assert.deepEqual(await seen(q, watcher), [
      "TAKEN 2 LEASED",
      "BURIED 2 BURIED",
      "KICKED 2 READY",
    ]);
    await q.ack(await q.takeOne("t"));
    await q.engine.deleteTask("t", 1);
    assert.deepEqual(await seen(q, watcher), ["TAKEN 2 LEASED", "ACKED 2 DONE", "DELETED 1 DONE"]);
    await q.put("t", {}, {});
    await q.engine.truncateTube("t");
    assert.deepEqual(await seen(q, watcher), ["PUT 4 READY", "PUT 5 READY", "TRUNCATED"]);
    watcher.end();
    assert.equal(await watcher.next(), undefined);
  });

  test("is told of ttr and session end as RELEASED with the reason", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtrMs: 60 * SECOND });
    await q.put("t", { ttrMs: SECOND }, {});
    const { id: session } = q.engine.openSession(2 * SECOND);
    await q.take("t", { maxTasks: 2, session });
    const watcher = q.engine.watch("t", false);
    const reasons = async () => {
      await q.idle();
      const batch = await watcher.next();
      return batch?.events.map(({ change, task, at }) => [change, task?.reason, at]);
    };
    await q.step(SECOND);
    assert.deepEqual(await reasons(), [["RELEASED" satisfies Change, "ttr over", q.clock.now()]]);
    q.engine.closeSession(session);
    assert.deepEqual(await reasons(), [["RELEASED", "session over", q.clock.now()]]);
  });

  test("is shown no lease, and payloads where it asked for them", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const watchers = [q.engine.watch("t", false), q.engine.watch("t", true)];
    await q.put("t", text("one"));
    await q.takeOne("t");
    const events = await Promise.all(
      watchers.map(async (watcher) => (await watcher.next())?.events),
    );
    const shown = events.map((each) =>
      each?.map(({ task }) => [task?.lease, task?.fence, task?.payload?.value]),
    );
    assert.deepEqual(shown, [
      [
        ["", 0, undefined],
        ["", 1, undefined],
      ],
      [
        ["", 0, "one"],
        ["", 1, "one"],
      ],
    ]);
  });

  test("that is slow is told how many it missed", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const watcher = q.engine.watch("t", false);
    await q.put("t", ...Array(1_500).fill({}));
    const first = await watcher.next();
    assert.equal(first?.events[0]?.task?.id, 1);
    assert.equal((first?.events.length ?? 0) + (first?.missed ?? 0), 1_500);
    assert.ok((first?.missed ?? 0) > 0);
    await q.put("t", {});
    const second = await watcher.next();
    assert.deepEqual([second?.events[0]?.task?.id, second?.missed], [1_501, 0]);
  });

  test("hears of its tube alone, not of what failed, and is woken when something comes", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.tube("u", "FIFO");
    const watcher = q.engine.watch("t", false);
    const next = watcher.next();
    await q.put("u", {});
    q.store.refuseCommits();
    await assert.rejects(q.put("t", {}));
    await q.put("t", {});
    const batch = await next;
    assert.deepEqual(
      batch?.events.map(({ change, task }) => `${change} ${task?.tube} ${task?.id}`),
      ["PUT t 2"],
    );
    assertThrows(() => q.engine.watch("none", false), "TUBE_NOT_FOUND");
  });

  test("sees a put that was truncated go, and one that came after it stay", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const watcher = q.engine.watch("t", false);
    await Promise.all([q.engine.truncateTube("t"), q.put("t", {})]);
    assert.deepEqual(await seen(q, watcher), ["TRUNCATED", "PUT 2 READY"]);
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });
});
