import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Task, TubeKind } from "../../src/client/index.ts";
import { test } from "../support/on-each-storage.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";
import { startService } from "../support/service.ts";
import { connectTo, countsOf, createTube, startRelay, until } from "./harness.ts";

describe("when the server is killed and comes back", () => {
  test("keyed puts are put once, others rejected, and no acked task comes back", async (t) => {
    const folder = temporaryFolder(t);
    const listens = await freeListens();
    let server = await startProcess(t, folder, listens);
    const client = connectTo(t, listens.grpc);
    await client.queue.createTube({
      tube: { name: "jobs", kind: TubeKind.FIFO, dedupWindow: { seconds: 3_600n, nanos: 0 } },
    });
    const handled = new Map<string, number>();
    const errors: Error[] = [];
    client.worker({
      tubes: ["jobs"],
      handler({ payload }) {
        handled.set(String(payload), (handled.get(String(payload)) ?? 0) + 1);
      },
      onError: (error) => errors.push(error),
    });
    const producer = client.producer({ sendTimeoutMs: 60_000 });

    const settled = Array.from({ length: 500 }, (_, index) => `settled ${index}`);
    await Promise.all(settled.map((payload) => producer.put("jobs", { payload })));
    await until(async () => (await countsOf(client, "jobs")).done === 500);

    let putting = true;
    const put = new Set<string>();
    const unanswered = new Set<string>();
    const caller = async (name: string, keyed: boolean): Promise<void> => {
      for (let count = 0; putting; count++) {
        const payload = `${name} ${count}`;
        try {
          await producer.put("jobs", keyed ? { payload, dedupKey: payload } : { payload });
          put.add(payload);
        } catch (error) {
          assert.equal((error as { reason?: string }).reason, "UNANSWERED");
          assert.equal(keyed, false, "a put with a key is sent again");
          unanswered.add(payload);
        }
      }
    };
    const callers = Array.from({ length: 40 }, (_, index) =>
      caller(`${index % 2 ? "keyed" : "plain"}-${index}`, index % 2 === 1),
    );
    for (let kill = 0; kill < 3; kill++) {
      const before = put.size;
      await until(() => put.size > before + 300);
      await server.end("SIGKILL");
      server = await startProcess(t, folder, listens);
    }
    putting = false;
    await Promise.all(callers);
    await until(async () => {
      const { ready, leased } = await countsOf(client, "jobs");
      return ready + leased === 0;
    });
    assert.ok(unanswered.size > 0, "no put was under way at the kills");
    assert.ok(errors.length >= 3, "the worker tells of each broken stream");
    for (const payload of put) assert.ok(handled.has(payload), `${payload} is lost`);
    for (const payload of settled) assert.equal(handled.get(payload), 1, `${payload} came back`);
    for (const payload of handled.keys()) {
      assert.ok(put.has(payload) || unanswered.has(payload) || payload.startsWith("settled"));
    }
    const { tasks } = await client.queue.listTasks({ tube: "jobs" });
    assert.deepEqual(tasks, []);
  });

  test("a worker that was there before the server begins when it is", async (t) => {
    const listens = await freeListens();
    const client = connectTo(t, listens.grpc);
    const done = Promise.withResolvers<Task>();
    client.worker({ tubes: ["jobs"], handler: done.resolve, onError() {} });
    const producer = client.producer();
    await startProcess(t, temporaryFolder(t), listens);
    await createTube(client);
    await producer.put("jobs", { payload: "first" });
    assert.equal((await done.promise).payload, "first");
  });

  test("a producer goes on over a restart in good order", async (t) => {
    const folder = temporaryFolder(t);
    const listens = await freeListens();
    const server = await startProcess(t, folder, listens, { USHER_SHUTDOWN_GRACE: "200ms" });
    const client = connectTo(t, listens.grpc);
    const tube = await createTube(client);
    const producer = client.producer();
    let putting = true;
    const counts = { put: 0, unanswered: 0 };
    const callers = Array.from({ length: 20 }, async () => {
      while (putting) {
        try {
          await producer.put(tube, { payload: "x" });
          counts.put++;
        } catch (error) {
          assert.equal((error as { reason?: string }).reason, "UNANSWERED");
          counts.unanswered++;
        }
      }
    });
    await until(() => counts.put > 200);
    assert.equal(await server.end("SIGTERM"), 0);
    await startProcess(t, folder, listens);
    const before = counts.put;
    await until(() => counts.put > before + 200);
    putting = false;
    await Promise.all(callers);
    const { ready } = await countsOf(client, tube);
    assert.ok(ready >= counts.put && ready <= counts.put + counts.unanswered);
  });
});

describe("when the connection breaks", () => {
  test("a worker's leases are lost, its handlers told, and the tasks come again", async (t) => {
    const usher = await startService(t);
    const relay = await startRelay(t, usher.grpcAddress);
    const client = connectTo(t, relay.address);
    const tube = await createTube(client);
    const producer = client.producer();
    await Promise.all([1, 2, 3].map((index) => producer.put(tube, { payload: { index } })));
    const attempts: number[] = [];
    let running = 0;
    let most = 0;
    const aborted: string[] = [];
    const errors: Error[] = [];
    const worker = client.worker({
      tubes: [tube],
      concurrency: 2,
      async handler({ attempt }, { signal }) {
        running++;
        most = Math.max(most, running);
        attempts.push(attempt);
        if (attempt === 1 && attempts.length <= 2) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          aborted.push(signal.reason.reason);
        }
        running--;
      },
      onError: (error) => errors.push(error),
    });
    await until(() => running === 2);
    relay.cut();
    await until(() => running === 0);
    assert.deepEqual(aborted, ["LEASE_LOST", "LEASE_LOST"]);
    relay.mend();
    const direct = connectTo(t, usher.grpcAddress);
    await until(async () => (await countsOf(direct, tube)).done === 3);
    assert.equal(most, 2);
    assert.equal(attempts.filter((attempt) => attempt > 1).length >= 2, true);
    assert.match(errors[0]?.message ?? "", /2 running tasks lost their leases/);
    await worker.close();
  });

  test("a worker in a session keeps its leases, and settles when it is back", async (t) => {
    const usher = await startService(t);
    const relay = await startRelay(t, usher.grpcAddress);
    const client = connectTo(t, relay.address);
    const direct = connectTo(t, usher.grpcAddress);
    const tube = await createTube(client);
    const producer = direct.producer();
    const tasks = Array.from({ length: 30 }, (_, index) => ({ payload: { index } }));
    await Promise.all(tasks.map((task) => producer.put(tube, task)));
    const go = Promise.withResolvers<void>();
    const handled: Task[] = [];
    const aborted: unknown[] = [];
    const worker = client.worker({
      tubes: [tube],
      concurrency: 3,
      sessionTtlMs: 60_000,
      async handler(task, { signal }) {
        handled.push(task);
        signal.addEventListener("abort", () => aborted.push(signal.reason));
        await go.promise;
      },
      onError() {},
    });
    await until(() => handled.length === 3);
    relay.cut();
    go.resolve();
    await until(() => handled.length === 30);
    const { leased, ready, done } = await countsOf(direct, tube);
    assert.deepEqual({ leased, ready, done }, { leased: 30, ready: 0, done: 0 });
    relay.mend();
    await until(async () => (await countsOf(direct, tube)).done === 30);
    assert.deepEqual(
      handled.map(({ attempt }) => attempt),
      Array(30).fill(1),
    );
    assert.deepEqual(aborted, []);
    await worker.close();
  });

  test("a worker whose session is over by then begins anew", async (t) => {
    const usher = await startService(t);
    const relay = await startRelay(t, usher.grpcAddress);
    const client = connectTo(t, relay.address);
    const direct = connectTo(t, usher.grpcAddress);
    const tube = await createTube(client);
    await direct.producer().put(tube, { payload: "x" });
    const attempts: number[] = [];
    const reasons: unknown[] = [];
    const worker = client.worker({
      tubes: [tube],
      sessionTtlMs: 1_000,
      async handler({ attempt }, { signal }) {
        attempts.push(attempt);
        if (attempt > 1) return;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push(signal.reason.reason);
      },
      onError() {},
    });
    await until(() => attempts.length === 1);
    relay.cut();
    await until(async () => (await countsOf(direct, tube)).ready === 1);
    relay.mend();
    await until(async () => (await countsOf(direct, tube)).done === 1);
    assert.deepEqual(attempts, [1, 2]);
    assert.deepEqual(reasons, ["LEASE_LOST"]);
    await worker.close();
  });
});
