import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { assertReason, idsOf, type RunningEngine, startEngine } from "./running-engine.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Begins something that lasts three seconds; resolves with what tells whether it has ended. */
type Begin = (q: RunningEngine) => Promise<() => boolean | Promise<boolean>>;

const durations: Record<string, Begin> = {
  async "the wait of a take"(q) {
    await q.tube("t", "FIFO");
    return settled(q.take("t", { waitMs: 3 * SECOND }));
  },
  async "the wait of a put"(q) {
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await q.put("t", {});
    return settled(q.putAll("t", [{}], { waitMs: 3 * SECOND }));
  },
  async "a lease"(q) {
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttrMs: 3 * SECOND });
    await q.takeOne("t");
    return isReady(q);
  },
  async "a lease that was touched"(q) {
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttrMs: SECOND });
    await q.touch(await q.takeOne("t"), 2 * SECOND);
    return isReady(q);
  },
  async "a delay"(q) {
    await q.tube("t", "FIFOTTL");
    await q.put("t", { delayMs: 3 * SECOND });
    return isReady(q);
  },
  async "the delay of a release"(q) {
    await q.tube("t", "FIFOTTL");
    await q.put("t", {});
    await q.release(await q.takeOne("t"), 3 * SECOND);
    return isReady(q);
  },
  async "a back-off"(q) {
    const retryBackoff = { initialMs: 4 * SECOND, maxMs: HOUR, multiplier: 2 };
    await q.tube("t", "FIFOTTL", { retryBackoff });
    await q.put("t", {});
    await q.release(await q.takeOne("t"));
    return isReady(q);
  },
  async "a ttl"(q) {
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttlMs: 3 * SECOND });
    return () => q.statistics("t").expired === 1;
  },
  async "a session"(q) {
    await q.tube("t", "FIFO");
    await q.put("t", {});
    await q.takeOne("t", { session: q.engine.openSession(3 * SECOND).id });
    return isReady(q);
  },
  async "a pause"(q) {
    await q.tube("t", "FIFO");
    await q.engine.pauseTube("t", 3 * SECOND);
    return () => q.engine.getTube("t").pausedUntil === 0;
  },
  async "a dedup window"(q) {
    await q.tube("t", "FIFO", { dedupWindowMs: 3 * SECOND });
    await q.put("t", { dedupKey: "k" });
    await q.ack(await q.takeOne("t"));
    return async () => (await q.putAll("t", [{ dedupKey: "k" }])).duplicates.length === 0;
  },
};

for (const [direction, by] of Object.entries({ back: -HOUR, forward: HOUR })) {
  describe(`the wall clock is set ${direction} an hour: it lasts as long as it was told`, () => {
    for (const [name, begin] of Object.entries(durations)) {
      test(`${name}, ${direction}`, async (t) => {
        // Of a back-off three quarters are waited.
        const q = await startEngine(t, { random: () => 0.5 });
        const isOver = await begin(q);
        await q.step(SECOND);
        q.clock.setWall(by);
        await q.step(2 * SECOND - 1);
        assert.equal(await isOver(), false, "it has not ended before its time");
        await q.step(1);
        assert.equal(await isOver(), true, "it has ended");
      });
    }

    test(`times are shown as the wall clock has them, ${direction}`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", "FIFOTTL");
      await q.put("t", { ttrMs: 60 * SECOND, ttlMs: 90 * SECOND }, { delayMs: 9 * SECOND });
      q.clock.setWall(by);
      const wall = q.clock.now();
      const taken = await q.takeOne("t");
      assert.equal(taken.leaseDeadline, wall + 60 * SECOND);
      assert.equal(taken.expiresAt, wall + 90 * SECOND);
      assert.equal((await q.engine.getTask("t", 2)).readyAt, wall + 9 * SECOND);
      assert.equal(q.engine.openSession(5 * SECOND).expiresAt, wall + 5 * SECOND);
      assert.equal((await q.engine.pauseTube("t", SECOND)).pausedUntil, wall + SECOND);
      await q.put("t", {});
      await q.step(SECOND);
      assert.equal(q.statistics("t").oldestReadyAgeMs, SECOND);
      await q.tube("later", "FIFO");
      assert.equal(q.engine.getTube("later").createdAt, wall + SECOND);
    });

    test(`what was written after it means the same after a crash, ${direction}`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", "FIFOTTL", { dedupWindowMs: 5 * SECOND });
      q.clock.setWall(by);
      const createdAt = q.clock.now();
      await q.put("t", { delayMs: 3 * SECOND, ttlMs: 4 * SECOND, dedupKey: "k" }, {});
      await q.release(await q.takeOne("t"), 3 * SECOND);
      await q.engine.pauseTube("t", 2 * SECOND);
      await q.crash(SECOND);
      assert.equal((await q.engine.getTask("t", 1)).createdAt, createdAt);
      await q.step(SECOND - 1);
      assert.equal(q.engine.getTube("t").pausedUntil, createdAt + 2 * SECOND);
      await q.step(1);
      assert.equal(q.engine.getTube("t").pausedUntil, 0);
      assert.deepEqual(q.counts("t"), { delayed: 2 });
      await q.step(SECOND);
      assert.deepEqual(await q.takenIds("t", 9), [1, 2]);
    });

    test(`a lease that a clean stop kept has what was left of it, ${direction}`, async (t) => {
      const q = await startEngine(t);
      await q.tube("t", "FIFOTTL");
      await q.put("t", { ttrMs: 60 * SECOND }, {});
      const lease = await q.takeOne("t");
      const session = q.engine.openSession(60 * SECOND).id;
      const ofSession = await q.takeOne("t", { session });
      q.clock.setWall(by);
      await q.step(10 * SECOND);
      await q.restart(10 * SECOND);
      assert.deepEqual(q.counts("t"), { leased: 2 });
      await q.step(40 * SECOND - 1);
      assert.deepEqual(q.counts("t"), { leased: 2 });
      await q.step(1);
      assert.deepEqual(q.counts("t"), { ready: 2 });
      await assertReason(q.ack(lease), "LEASE_LOST");
      await assertReason(q.ack(ofSession), "LEASE_LOST");
    });
  });
}

describe("the wall clock is set while the server is down", () => {
  test("back: nothing kept lasts longer than what was left of it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttrMs: 60 * SECOND }, {});
    await q.takeOne("t");
    await q.takeOne("t", { session: q.engine.openSession(60 * SECOND).id });
    await q.step(10 * SECOND);
    q.clock.setWall(-HOUR);
    await q.restart();
    await q.step(50 * SECOND - 1);
    assert.deepEqual(q.counts("t"), { leased: 2 });
    await q.step(1);
    assert.deepEqual(q.counts("t"), { ready: 2 });
  });

  test("forward by 20 s: a lease ends 20 s early at most", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL");
    await q.put("t", { ttrMs: 60 * SECOND });
    const task = await q.takeOne("t");
    q.clock.setWall(20 * SECOND);
    await q.restart();
    await q.step(40 * SECOND - 1);
    await q.ack(task);
  });
});

test("a clock that is set again and again adds nothing and takes nothing", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFOTTL");
  await q.put("t", { delayMs: 10 * SECOND });
  const waiting = q.take("t", { waitMs: 20 * SECOND });
  for (const by of [HOUR, -2 * HOUR, 30 * SECOND, -1, HOUR]) {
    q.clock.setWall(by);
    await q.step(2 * SECOND - 1);
  }
  assert.deepEqual(q.counts("t"), { delayed: 1 });
  await q.step(5);
  assert.deepEqual(idsOf(await waiting), [1]);
});

function isReady(q: RunningEngine): () => boolean {
  return () => q.counts("t")["ready"] === 1;
}

/** Tells whether a promise has settled. */
function settled(promise: Promise<unknown>): () => boolean {
  let is = false;
  const now = (): void => {
    is = true;
  };
  promise.then(now, now);
  return () => is;
}
