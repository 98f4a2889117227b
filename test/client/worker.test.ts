import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BuryTask,
  type HandlerContext,
  ReleaseTask,
  type Task,
  TaskState,
  TubeKind,
  UsherClient,
} from "../../src/client/index.ts";
import { test } from "../support/on-each-storage.ts";
import { startService } from "../support/service.ts";
import { connectTo, countsOf, createTube, startRelay, startWithClient, until } from "./harness.ts";

async function put(
  client: UsherClient,
  tube: string,
  count: number,
  settings: { ttrMs?: number } = {},
): Promise<void> {
  const producer = client.producer();
  const puts = Array.from({ length: count }, (_, index) =>
    producer.put(tube, { payload: { index }, ...settings }),
  );
  await Promise.all(puts);
  await producer.close();
}

/** A handler of one task that waits to be told how to end. */
class Held {
  readonly task: Task;
  readonly context: HandlerContext;
  readonly #end = Promise.withResolvers<void>();

  constructor(task: Task, context: HandlerContext) {
    this.task = task;
    this.context = context;
  }

  get ended(): Promise<void> {
    return this.#end.promise;
  }

  succeed(): void {
    this.#end.resolve();
  }

  fail(error: Error): void {
    this.#end.reject(error);
  }
}

/** A worker whose handlers wait; what it told of comes with it. */
function holdingWorker(
  client: UsherClient,
  options: Omit<Parameters<UsherClient["worker"]>[0], "handler" | "onError">,
) {
  const held: Held[] = [];
  const errors: Error[] = [];
  const worker = client.worker({
    ...options,
    handler(task, context) {
      const each = new Held(task, context);
      held.push(each);
      return each.ended;
    },
    onError: (error) => errors.push(error),
  });
  return { worker, held, errors };
}

/** Resolves with the reason that a signal aborts with. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

async function startWithTasks(t: TestContext, kind: TubeKind, count: number, settings = {}) {
  const client = await startWithClient(t);
  const tube = await createTube(client, kind);
  await put(client, tube, count, settings);
  return { client, tube };
}

describe("a worker", () => {
  test("hands each task to its handler and acks it when that returns", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 1_000);
    const handled: unknown[] = [];
    client.worker({
      tubes: [tube],
      concurrency: 1,
      async handler(task) {
        assert.equal(task.tube, tube);
        assert.equal(task.attempt, 1);
        assert.ok(task.fence > 0n);
        assert.equal(task.payloadKind, "json");
        handled.push(task.payload);
      },
      onError: (error) => assert.fail(error),
    });
    await until(async () => (await countsOf(client, tube)).done === 1_000);
    assert.deepEqual(
      handled,
      handled.map((_, index) => ({ index })),
    );
    const { ackCalls } = await countsOf(client, tube);
    assert.ok(ackCalls < 100, `${ackCalls} acks`);
  });

  test("takes from several tubes, with handlers that return nothing to wait for", async (t) => {
    const client = await startWithClient(t);
    const tubes = [
      await createTube(client, TubeKind.FIFO, { name: "a" }),
      await createTube(client, TubeKind.UTUBE, { name: "b" }),
    ];
    for (const tube of tubes) await put(client, tube, 20);
    const handled: string[] = [];
    client.worker({
      tubes,
      handler: ({ tube }) => handled.push(tube),
      onError: (error) => assert.fail(error),
    });
    await until(() => handled.length === 40);
    assert.equal(handled.filter((tube) => tube === "a").length, 20);
  });

  test("runs as many handlers at once as it may, and never more", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 200);
    let running = 0;
    let most = 0;
    let handled = 0;
    client.worker({
      tubes: [tube],
      concurrency: 7,
      async handler() {
        running++;
        most = Math.max(most, running);
        await sleep(1);
        running--;
        handled++;
      },
      onError: (error) => assert.fail(error),
    });
    await until(() => handled === 200);
    assert.equal(most, 7);
  });

  test("gives a task back when its handler throws, with the message as the reason", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 1);
    const seen: [number, string][] = [];
    const told: [string, bigint | undefined][] = [];
    client.worker({
      tubes: [tube],
      handler({ attempt, reason }) {
        seen.push([attempt, reason]);
        if (attempt === 1) throw new Error("smtp 451");
        if (attempt === 2) throw new Error(`long: ${"й".repeat(5_000)}`);
      },
      onError: (error, task) => told.push([error.message.slice(0, 8), task?.id]),
    });
    await until(async () => (await countsOf(client, tube)).done === 1);
    assert.deepEqual(
      seen.map(([attempt, reason]) => [attempt, reason.slice(0, 8)]),
      [
        [1, ""],
        [2, "smtp 451"],
        [3, "long: йй"],
      ],
    );
    assert.deepEqual(told, [
      ["smtp 451", 1n],
      ["long: йй", 1n],
    ]);
  });

  test("gives a task back with a delay, where the tube has delays", async (t) => {
    const client = await startWithClient(t);
    const timed = await createTube(client, TubeKind.FIFOTTL, { name: "timed" });
    const plain = await createTube(client, TubeKind.FIFO, { name: "plain" });
    for (const tube of [timed, plain]) await put(client, tube, 1);
    client.worker({
      tubes: [timed, plain],
      handler({ attempt }) {
        if (attempt === 1) throw new ReleaseTask("not now", { delayMs: 3_600_000 });
      },
      onError: (error) => assert.fail(error),
    });
    await until(async () => (await countsOf(client, timed)).delayed === 1);
    await until(async () => (await countsOf(client, plain)).done === 1);
    const { task } = await client.queue.getTask({ tube: timed, id: 1n });
    assert.equal(task?.reason, "not now");
  });

  test("sets a task aside when its handler throws BuryTask", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 1);
    client.worker({
      tubes: [tube],
      handler() {
        throw new BuryTask("no such address");
      },
      onError: (error) => assert.fail(error),
    });
    await until(async () => (await countsOf(client, tube)).buried === 1);
    const { task } = await client.queue.getTask({ tube, id: 1n });
    assert.equal(task?.state, TaskState.BURIED);
    assert.equal(task?.reason, "no such address");
  });

  test("holds on to tasks past their ttr, those that wait for their turn too", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFOTTL, 2, { ttrMs: 2_000 });
    const attempts: number[] = [];
    client.worker({
      tubes: [tube],
      concurrency: 1,
      async handler({ attempt }) {
        attempts.push(attempt);
        if (attempts.length === 1) await sleep(3_000);
      },
      onError: (error) => assert.fail(error),
    });
    await until(async () => (await countsOf(client, tube)).done === 2);
    assert.deepEqual(attempts, [1, 1]);
  });

  test("aborts a handler's signal when its lease is lost, and settles nothing for it", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFOTTL, 2, { ttrMs: 2_000 });
    const { held, errors } = holdingWorker(client, { tubes: [tube] });
    await until(() => held.length === 2);
    const [first, second] = held as [Held, Held];
    const { signal } = first.context;
    await client.queue.deleteTask({ tube, id: first.task.id });
    const reason = await aborted(signal);
    assert.equal((reason as { reason?: string }).reason, "LEASE_LOST");
    await until(() => errors.length > 0);
    assert.deepEqual(errors, [reason]);
    await assert.rejects(first.context.touch(1_000), { reason: "LEASE_LOST" });
    first.fail(new Error("stopped"));
    second.succeed();
    await until(async () => (await countsOf(client, tube)).done === 2);
    assert.equal(second.context.signal.aborted, false);
  });

  test("tells when a result came too late", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 1);
    const { held, errors } = holdingWorker(client, { tubes: [tube] });
    await until(() => held.length === 1);
    await client.queue.releaseAll({ tube });
    await until(() => held.length === 2);
    await assert.rejects((held[0] as Held).context.touch(1_000), { reason: "LEASE_LOST" });
    for (const each of held) each.succeed();
    await until(async () => (await countsOf(client, tube)).done === 1);
    assert.deepEqual(
      errors.map((error) => (error as { reason?: string }).reason),
      ["LEASE_LOST"],
    );
  });

  test("lets a handler hold its task for longer", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFOTTL, 1, { ttrMs: 60_000 });
    const { held } = holdingWorker(client, { tubes: [tube] });
    await until(() => held.length === 1);
    const [{ context }] = held as [Held];
    const before = (await client.queue.getTask({ tube, id: 1n })).task?.leaseExpireTime;
    await context.touch(3_600_000);
    const after = (await client.queue.getTask({ tube, id: 1n })).task?.leaseExpireTime;
    assert.equal(Number(after?.seconds) - Number(before?.seconds), 3_600);
    await assert.rejects(context.touch(Number.NaN), { reason: "INVALID_PARAMS" });
    await assert.rejects(context.touch(0), { reason: "INVALID_PARAMS" });
    held[0]?.succeed();
  });

  test("drains on close: gives back what waits, and lets handlers finish", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 10);
    const { worker, held, errors } = holdingWorker(client, { tubes: [tube], concurrency: 2 });
    await until(() => held.length === 2);
    const closing = worker.close();
    await until(async () => (await countsOf(client, tube)).ready === 8);
    await put(client, tube, 5);
    for (const each of held) each.succeed();
    await closing;
    assert.equal(held.length, 2);
    assert.deepEqual(errors, []);
    const { ready, leased, done } = await countsOf(client, tube);
    assert.deepEqual({ ready, leased, done }, { ready: 13, leased: 0, done: 2 });
  });

  test("aborts handlers that outlast the grace, and their tasks go back", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 1);
    const { worker, held, errors } = holdingWorker(client, { tubes: [tube], graceMs: 20 });
    await until(() => held.length === 1);
    const [{ context }] = held as [Held];
    const closing = worker.close();
    assert.equal(((await aborted(context.signal)) as { reason?: string }).reason, "CLOSED");
    held[0]?.fail(new Error("stopped"));
    await closing;
    await until(async () => (await countsOf(client, tube)).ready === 1);
    assert.deepEqual(
      errors.map(({ message }) => message),
      ["stopped"],
    );
  });

  test("in a session gives everything back on close too", async (t) => {
    const { client, tube } = await startWithTasks(t, TubeKind.FIFO, 10);
    const { worker, held } = holdingWorker(client, {
      tubes: [tube],
      concurrency: 2,
      sessionTtlMs: 60_000,
      graceMs: 20,
    });
    await until(() => held.length === 2);
    held[0]?.succeed();
    await worker.close();
    const { ready, leased, done } = await countsOf(client, tube);
    assert.deepEqual({ ready, leased, done }, { ready: 9, leased: 0, done: 1 });
  });

  test("that is closed when the server is gone comes to its end", async (t) => {
    const usher = await startService(t);
    const relay = await startRelay(t, usher.grpcAddress);
    const direct = connectTo(t, usher.grpcAddress);
    const tube = await createTube(direct);
    await put(direct, tube, 10);
    for (const settings of [{}, { sessionTtlMs: 60_000 }]) {
      const client = UsherClient.connect(relay.address, { timeoutMs: 300 });
      const { worker, held, errors } = holdingWorker(client, { tubes: [tube], ...settings });
      await until(() => held.length === 10);
      const closing = worker.close();
      relay.cut();
      for (const each of held) each.succeed();
      await closing;
      await client.close();
      assert.ok(errors.length > 0);
      relay.mend();
    }
  });

  test("waits for a tube that is not there yet, and tells so", async (t) => {
    const client = await startWithClient(t);
    const errors: Error[] = [];
    let handled = 0;
    client.worker({
      tubes: ["jobs"],
      handler: () => handled++,
      onError: (error) => errors.push(error),
    });
    await until(() => errors.length > 0);
    assert.equal((errors[0] as { reason?: string }).reason, "TUBE_NOT_FOUND");
    await createTube(client);
    await put(client, "jobs", 1);
    await until(() => handled === 1);
  });

  test("is not made with options that make no sense", async (t) => {
    const client = await startWithClient(t);
    const right = { tubes: ["jobs"], handler() {}, onError() {} };
    for (const wrong of [
      { tubes: [] },
      { concurrency: 0 },
      { concurrency: 1.5 },
      { prefetch: 0 },
      { prefetch: 10_001 },
    ]) {
      assert.throws(() => client.worker({ ...right, ...wrong }), RangeError);
    }
  });
});
