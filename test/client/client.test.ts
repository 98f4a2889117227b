import assert from "node:assert/strict";
import { describe } from "node:test";
import { durationFromMs, TubeKind, UsherClient, UsherClientError } from "../../src/client/index.ts";
import { test } from "../support/on-each-storage.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";
import { startService } from "../support/service.ts";
import { connectTo, createTube, startRelay, startWithClient, until } from "./harness.ts";

/** Calls of all tubes that wait for room or for a task. */
async function waitersOf({ queue }: UsherClient): Promise<number> {
  const { tubes } = await queue.getStatistics({});
  return tubes.reduce(
    (sum, { waitingPuts, waitingTakers }) => sum + Number(waitingPuts) + Number(waitingTakers),
    0,
  );
}

describe("a client's calls", () => {
  test("reach both services, with requests and answers typed by the proto", async (t) => {
    const { queue, auth } = await startWithClient(t);
    await queue.createTube({ tube: { name: "jobs", kind: TubeKind.FIFO } });
    const { task } = await queue.put({
      tube: "jobs",
      task: { payload: { content: { case: "text", value: "hello" } } },
    });
    assert.equal(task?.id, 1n);
    const { tubes } = await queue.listTubes({});
    assert.deepEqual(
      tubes.map(({ name }) => name),
      ["jobs"],
    );
    await assert.rejects(auth.signOut({ token: "nobody's" }), { name: "UsherClientError" });
  });

  test("fail with the server's code, reason and faulty fields", async (t) => {
    const { queue } = await startWithClient(t);
    await assert.rejects(queue.getTube({ tube: "none" }), (error) => {
      assert.ok(error instanceof UsherClientError);
      assert.equal(error.code, "NOT_FOUND");
      assert.equal(error.reason, "TUBE_NOT_FOUND");
      assert.deepEqual(error.violations, []);
      return true;
    });
    await assert.rejects(queue.getTube({ tube: "no such name" }), (error) => {
      assert.ok(error instanceof UsherClientError);
      assert.equal(error.code, "INVALID_ARGUMENT");
      assert.equal(error.reason, "INVALID_PARAMS");
      assert.equal(error.violations[0]?.field, "tube");
      return true;
    });
  });

  test("end with their deadline, which leaves room for the request's own wait", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const options = { timeoutMs: 200 };
    const { tasks } = await client.queue.take({ tube, wait: durationFromMs(400) }, options);
    assert.deepEqual(tasks, []);
    const nowhere = connectTo(t, "127.0.0.1:1", options);
    await assert.rejects(nowhere.queue.getTube({ tube }), { code: "DEADLINE_EXCEEDED" });
  });

  test("are cancelled by a signal, with its reason", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const stop = new AbortController();
    const waiting = client.queue.take(
      { tube, wait: durationFromMs(60_000) },
      { signal: stop.signal },
    );
    const reason = new Error("enough");
    stop.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(client.queue.getTube({ tube }, { signal: stop.signal }), reason);
  });

  test("whose connection breaks are repeated only where the proto calls it safe", async (t) => {
    const usher = await startService(t);
    const relay = await startRelay(t, usher.grpcAddress);
    const client = connectTo(t, relay.address);
    const direct = connectTo(t, usher.grpcAddress);
    const tube = await createTube(client, TubeKind.LIMFIFOTTL, { capacity: 1n });
    const payload = { content: { case: "text", value: "x" } } as const;
    await direct.queue.put({ tube, task: { payload } });
    const wait = durationFromMs(60_000);
    const plain = client.queue.put({ tube, wait, task: { payload } });
    const keyed = client.queue.put({ tube, wait, task: { payload, dedupKey: "once" } });
    const other = await createTube(client, TubeKind.FIFO, { name: "other" });
    const taken = client.queue.take({ tube: other, wait });
    await until(async () => (await waitersOf(direct)) === 3);
    relay.cut();
    await assert.rejects(plain, { code: "UNAVAILABLE", reason: "" });
    await until(async () => (await waitersOf(direct)) === 0);
    relay.mend();
    await until(async () => (await waitersOf(direct)) === 2);
    await direct.queue.deleteTask({ tube, id: 1n });
    assert.equal((await keyed).task?.id, 2n);
    await direct.queue.put({ tube: other, task: { payload } });
    assert.equal((await taken).tasks.length, 1);
  });

  test("that are safe to repeat outlive a restart of the server", async (t) => {
    const folder = temporaryFolder(t);
    const listens = await freeListens();
    const first = await startProcess(t, folder, listens);
    const client = connectTo(t, listens.grpc, { timeoutMs: 60_000 });
    const tube = await createTube(client);
    let running = true;
    let calls = 0;
    const calling = (async () => {
      for (; running; calls++) await client.queue.getTube({ tube });
    })();
    await until(() => calls > 10);
    assert.equal(await first.end("SIGTERM"), 0);
    await startProcess(t, folder, listens);
    const before = calls;
    await until(() => calls > before + 10);
    running = false;
    await calling;
  });

  test("that stream are read with for await, and end when the reader leaves", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const changes = client.queue.watch({ tube });
    const first = changes.next();
    // Nothing says that a watch has begun.
    const putting = setInterval(() => {
      const payload = { content: { case: "text", value: "x" } } as const;
      client.queue.put({ tube, task: { payload } }).catch(() => {});
    }, 5);
    assert.equal((await first).value?.message.case, "event");
    clearInterval(putting);
    await changes.return();
    await assert.rejects(client.queue.watch({ tube: "none" }).next(), { reason: "TUBE_NOT_FOUND" });
  });

  test("fail with CLOSED after close(), and nothing new can be made", async (t) => {
    const usher = await startService(t);
    const client = UsherClient.connect(usher.grpcAddress);
    await createTube(client);
    await client.close();
    await assert.rejects(client.queue.getTube({ tube: "jobs" }), { reason: "CLOSED" });
    await assert.rejects(client.queue.watch({ tube: "jobs" }).next(), { reason: "CLOSED" });
    assert.throws(() => client.producer(), { reason: "CLOSED" });
  });
});
