import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Consumer } from "../../src/queue/rules/consumer.ts";
import { DEFAULT_LEASE_MS } from "../../src/queue/rules/limits.ts";
import type { TaskView } from "../../src/queue/rules/task-view.ts";
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

/** A worker's stream, and what came out of it. */
class Stream {
  readonly consumer: Consumer;
  readonly tasks: TaskView[] = [];
  readonly errors: unknown[] = [];
  readonly #q: RunningEngine;

  constructor(q: RunningEngine, tubes: readonly string[], prefetch: number, session = "") {
    this.#q = q;
    this.consumer = q.engine.consume({
      tubes,
      prefetch,
      session,
      deliver: (tasks) => this.tasks.push(...tasks),
      ended: (error) => this.errors.push(error),
    });
  }

  /** The ids that it was given since the last time. */
  async given(): Promise<number[]> {
    await this.#q.idle();
    return idsOf(this.tasks.splice(0));
  }

  /** One of the tasks that it was given. */
  async next(): Promise<TaskView> {
    await this.#q.idle();
    const task = this.tasks.shift();
    assert.ok(task);
    return task;
  }

  async ack(...tasks: readonly TaskView[]): Promise<void> {
    const acks = tasks.map(({ lease }) => ({ kind: "ack", lease }) as const);
    assert.deepEqual(await this.consumer.settle(acks), []);
  }

  end(): void {
    this.#q.engine.endConsumer(this.consumer, []);
  }
}

describe("a worker's stream", () => {
  test("is given tasks as long as fewer than `prefetch` are unsettled", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const stream = new Stream(q, ["t"], 3);
    await q.put("t", {}, {}, {}, {});
    await q.idle();
    const [first, second] = stream.tasks;
    assert.deepEqual(await stream.given(), [1, 2, 3]);
    if (!first || !second) assert.fail();
    await stream.ack(first);
    assert.deepEqual(await stream.given(), [4]);
    await q.release(second);
    assert.deepEqual(await stream.given(), [2]);
    await q.step(DEFAULT_LEASE_MS);
    assert.deepEqual(await stream.given(), [2, 3, 4]);
  });

  test("takes from several tubes, each named once", async (t) => {
    const q = await startEngine(t);
    for (const name of ["a", "b"]) await q.tube(name, "FIFO");
    const stream = new Stream(q, ["a", "b", "a"], 10);
    await q.put("b", {});
    await q.put("a", {}, {});
    await q.idle();
    const from = stream.tasks.map(({ tube, id }) => `${tube}${id}`);
    assert.deepEqual(from, ["b1", "a1", "a2"]);
    assert.equal(q.statistics("a").waitingTakers, 1);
    assertThrows(() => new Stream(q, ["a", "none"], 1), "TUBE_NOT_FOUND");
    assertThrows(() => new Stream(q, ["a"], 1, "never was"), "SESSION_NOT_FOUND");
    assert.equal(q.statistics("a").waitingTakers, 1);
  });

  for (const prefetch of [1, 3, 10]) {
    test(`takes turns at its tubes, with a prefetch of ${prefetch}`, async (t) => {
      const q = await startEngine(t);
      for (const name of ["a", "b", "c"]) await q.tube(name, "FIFO");
      await q.put("a", ...Array.from({ length: 300 }, () => ({})));
      const stream = new Stream(q, ["a", "b", "c"], prefetch);
      const taken: string[] = [];
      for (let round = 0; taken.length < 60; round++) {
        if (round === 5) await q.put("c", {});
        if (round === 7) await q.put("b", {}, {}, {});
        const task = await stream.next();
        taken.push(task.tube);
        await stream.ack(task);
      }
      // What the stream holds already comes first; then every tube with tasks has its turn.
      const slack = prefetch + 3;
      assert.ok(taken.indexOf("c") <= 5 + slack, taken.join(""));
      assert.ok(taken.lastIndexOf("b") <= 7 + 3 * slack, taken.join(""));
      assert.deepEqual(taken.filter((tube) => tube === "b").length, 3);
    });
  }

  test("shares what it wants among its tubes from the first delivery on", async (t) => {
    const q = await startEngine(t);
    for (const name of ["a", "b", "c"]) {
      await q.tube(name, "FIFO");
      await q.put(name, ...Array.from({ length: name === "c" ? 1 : 100 }, () => ({})));
    }
    const stream = new Stream(q, ["a", "b", "c"], 30);
    await q.idle();
    const of = (tube: string) => stream.tasks.filter((task) => task.tube === tube).length;
    assert.deepEqual([of("a") + of("b"), of("c")], [29, 1]);
    assert.ok(of("a") >= 10 && of("b") >= 10);
  });

  test("waits behind others at a tube, and takes turns at the rest", async (t) => {
    const q = await startEngine(t);
    for (const name of ["a", "b"]) await q.tube(name, "FIFO");
    const unary = q.take("a", { waitMs: 60 * SECOND });
    const stream = new Stream(q, ["a", "b"], 2);
    await q.put("a", {}, {});
    await q.put("b", {});
    assert.deepEqual(idsOf(await unary), [1]);
    await q.idle();
    assert.deepEqual(stream.tasks.map(({ tube, id }) => `${tube}${id}`).sort(), ["a2", "b1"]);
  });

  test("shares a tube with the other takers, first come first served", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const [one, two] = [new Stream(q, ["t"], 100), new Stream(q, ["t"], 100)];
    const unary = q.take("t", { waitMs: SECOND });
    for (let put = 0; put < 5; put++) {
      await q.put("t", {});
      await q.idle();
    }
    assert.deepEqual(await one.given(), [1, 4]);
    assert.deepEqual(await two.given(), [2, 5]);
    assert.deepEqual(idsOf(await unary), [3]);
  });

  test("settles by its leases, and is told what failed", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const stream = new Stream(q, ["t"], 10);
    const task = await stream.next();
    const failures = await stream.consumer.settle([
      { kind: "ack", lease: task.lease },
      { kind: "ack", lease: task.lease },
      { kind: "release", lease: (await stream.next()).lease, delayMs: 5, reason: "" },
    ]);
    assert.deepEqual(
      failures.map(({ error }) => error.reason),
      ["LEASE_LOST", "INVALID_PARAMS"],
    );
  });

  test("that ends gives up what is unsettled", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const stream = new Stream(q, ["t"], 10);
    await stream.ack(await stream.next());
    stream.end();
    stream.end();
    await q.idle();
    const again = await q.takeOne("t");
    assert.deepEqual([again.id, again.attempt, again.reason], [2, 2, "stream over"]);
    await q.put("t", {});
    assert.deepEqual(await stream.given(), [2]);
    assert.deepEqual(stream.errors, []);
  });

  test("with a session leaves its tasks to that, and keeps it while it is open", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(10 * SECOND);
    const stream = new Stream(q, ["t"], 10, session);
    await q.step(100 * SECOND);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    stream.end();
    await q.step(10 * SECOND - 1);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    // Another connection of the same worker settles it.
    q.engine.renewSession(session);
    await q.ack(await stream.next());
  });

  test("ends when its session does", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(10 * SECOND);
    const stream = new Stream(q, ["t"], 10, session);
    await stream.given();
    q.engine.closeSession(session);
    await q.idle();
    assert.equal(stream.errors.length, 1);
    await assertReason(Promise.reject(stream.errors[0]), "SESSION_NOT_FOUND");
    assert.deepEqual(q.counts("t"), { ready: 1 });
    stream.end();
  });

  test("ends when one of its tubes is deleted", async (t) => {
    const q = await startEngine(t);
    for (const name of ["a", "b"]) await q.tube(name, "FIFO");
    const stream = new Stream(q, ["a", "b"], 10);
    await q.engine.deleteTube("b", false);
    await assertReason(Promise.reject(stream.errors[0]), "TUBE_NOT_FOUND");
    stream.end();
    assert.equal(q.statistics("a").waitingTakers, 0);
  });

  test("drains: takes no more, and waits for each unsettled task until its lease ends", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const stream = new Stream(q, ["t"], 2);
    await q.idle();
    let drained = false;
    const draining = stream.consumer.drain().then(() => {
      drained = true;
    });
    await stream.ack(await stream.next());
    await q.idle();
    assert.ok(!drained);
    assert.deepEqual(q.counts("t"), { ready: 1, leased: 1 });
    await q.step(DEFAULT_LEASE_MS);
    await draining;
    assert.deepEqual(await stream.given(), [2]);
    assert.deepEqual(q.counts("t"), { ready: 2 });
    stream.end();
    const idle = new Stream(q, ["t"], 1);
    idle.end();
    await idle.consumer.drain();
  });

  test("is given tasks in the order of takes, though some payloads must be read", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.engine.createTube({ name: "u", kind: "FIFO", temporary: true, settings: {} }, false);
    await q.put("t", text("read"));
    await q.put("u", text("first of u"));
    await q.ack(await q.takeOne("u"));
    const letGo = q.store.hold();
    const stream = new Stream(q, ["t", "u"], 10);
    await q.put("u", text("in memory"));
    await q.idle();
    assert.deepEqual(q.counts("u"), { leased: 1 });
    letGo();
    await q.idle();
    assert.deepEqual(
      stream.tasks.map(({ payload }) => payload?.value),
      ["read", "in memory"],
    );
  });

  test("whose payloads cannot be read ends, and the tasks go back as if never taken", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    q.store.refusePayloads();
    const stream = new Stream(q, ["t"], 10);
    await q.idle();
    assert.equal(stream.errors.length, 1);
    await assertReason(Promise.reject(stream.errors[0]), "STORAGE_UNAVAILABLE");
    stream.end();
    assert.deepEqual(await stream.given(), []);
    assert.deepEqual(q.counts("t"), { ready: 2 });
    assert.equal((await q.takeOne("t")).attempt, 1);
  });

  test("that ends while payloads are read gives the tasks back, with a session too", async (t) => {
    const q = await startEngine(t, { limits: { cacheBytes: 0 } });
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(10 * SECOND);
    const letGo = q.store.hold();
    const stream = new Stream(q, ["t"], 10, session);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    stream.end();
    letGo();
    assert.deepEqual(await stream.given(), []);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assert.equal((await q.takeOne("t")).attempt, 1);
  });
});

describe("a worker that tells what it begins", () => {
  function worker(q: RunningEngine, prefetch: number, session = "") {
    const tasks: TaskView[] = [];
    const consumer = q.engine.consume({
      tubes: ["t"],
      prefetch,
      session,
      tellsBegun: true,
      deliver: (given) => tasks.push(...given),
      ended: () => {},
    });
    return { consumer, tasks, die: () => q.engine.endConsumer(consumer, []) };
  }

  test("buries the one task it dies of, and the others use no attempt", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { maxAttempts: 3 });
    await q.put("t", ...Array.from({ length: 100 }, () => ({})));
    for (let death = 1; death <= 3; death++) {
      const { consumer, tasks, die } = worker(q, 100);
      await q.idle();
      assert.equal(tasks.length, 100);
      assert.deepEqual(consumer.begin([tasks[0]?.lease ?? ""]), []);
      die();
      await q.idle();
    }
    assert.deepEqual(q.counts("t"), { ready: 99, buried: 1 });
    const others = await q.take("t", { maxTasks: 100 });
    assert.deepEqual([...new Set(others.map(({ attempt }) => attempt))], [1]);
    assert.equal(await q.stateOf("t", 1), "BURIED");
  });

  test("a task that comes back ten times without being begun uses one attempt", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO", { maxAttempts: 2 });
    await q.put("t", {});
    const attempts: (number | undefined)[] = [];
    for (let death = 1; death <= 20; death++) {
      const { tasks, die } = worker(q, 1);
      await q.idle();
      attempts.push(tasks[0]?.attempt);
      die();
      await q.idle();
    }
    assert.deepEqual(attempts, [...Array(10).fill(1), ...Array(10).fill(2)]);
    assert.equal(await q.stateOf("t", 1), "BURIED");
  });

  test("what was not begun uses no attempt at the end of its session or ttr either", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { maxAttempts: 1, defaultTtrMs: 5 * SECOND });
    await q.put("t", {}, {});
    const session = q.engine.openSession(60 * SECOND);
    const first = worker(q, 2, session.id);
    await q.idle();
    assert.deepEqual(first.consumer.begin([first.tasks[1]?.lease ?? ""]), []);
    await q.step(5 * SECOND);
    await q.idle();
    assert.equal(await q.stateOf("t", 2), "BURIED");
    // The first one came to it again.
    first.die();
    q.engine.closeSession(session.id);
    await q.idle();
    assert.equal((await q.takeOne("t")).attempt, 1);
  });

  test("a lease that is not held cannot be begun", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const { consumer } = worker(q, 1);
    const [failure] = consumer.begin(["1.none"]);
    assert.equal(failure?.error.reason, "LEASE_LOST");
  });
});
