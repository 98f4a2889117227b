import assert from "node:assert/strict";
import { describe } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type NewTask, TubeKind } from "../../src/client/index.ts";
import { test } from "../support/on-each-storage.ts";
import { connectTo, countsOf, createTube, startWithClient, until } from "./harness.ts";

const task: NewTask = { payload: "work" };

/** How each of these ended: "put", or the reason that it was refused with. */
async function outcomes(puts: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(puts);
  return settled.map((put) => (put.status === "fulfilled" ? "put" : put.reason.reason));
}

describe("a producer", () => {
  test("puts what is asked for at once in few messages", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer();
    const puts = await Promise.all(Array.from({ length: 5_000 }, () => producer.put(tube, task)));
    assert.equal(new Set(puts.map(({ id }) => id)).size, 5_000);
    const { ready, putCalls } = await countsOf(client, tube);
    assert.equal(ready, 5_000);
    assert.ok(putCalls <= 10, `${putCalls} messages`);
  });

  test("puts the tasks of a tube in the order in which they were asked for", async (t) => {
    const client = await startWithClient(t);
    const tubes = [
      await createTube(client, TubeKind.FIFO, { name: "a" }),
      await createTube(client, TubeKind.FIFO, { name: "b" }),
    ];
    const producer = client.producer({ maxBatchTasks: 7 });
    const puts = tubes.map((): Promise<{ id: bigint }>[] => []);
    for (let index = 0; index < 1_000; index++) {
      for (const [which, tube] of tubes.entries()) puts[which]?.push(producer.put(tube, task));
      if (index % 10 === 0) await nextTurn();
    }
    for (const ofTube of puts) {
      const ids = (await Promise.all(ofTube)).map(({ id }) => Number(id));
      assert.deepEqual(
        ids,
        ids.map((_, index) => index + 1),
      );
    }
  });

  test("carries bytes, text and JSON, and every setting of a task", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client, TubeKind.UTUBETTL);
    const producer = client.producer();
    const json = { to: "a@b.c", tags: ["x", null, true], size: 1.5 };
    const settings = {
      attributes: { trace: "abc", ["__proto__"]: "own" },
      priority: 3,
      delayMs: 60_000,
      ttlMs: 3_600_000,
      ttrMs: 1_500,
      group: "b.c",
      dedupKey: "mail-1",
    };
    await producer.put(tube, { payload: new Uint8Array([0, 255]) });
    await producer.put(tube, { payload: "grüße" });
    const { id } = await producer.put(tube, { payload: json, ...settings });
    const { tasks } = await client.queue.listTasks({ tube });
    assert.deepEqual(
      tasks.map(({ payload }) => payload?.content.case),
      ["data", "text", "json"],
    );
    assert.deepEqual(tasks[0]?.payload?.content.value, new Uint8Array([0, 255]));
    assert.equal(tasks[1]?.payload?.content.value, "grüße");
    const stored = (await client.queue.getTask({ tube, id })).task;
    assert.equal(stored?.attributes["trace"], "abc");
    assert.ok(Object.hasOwn(stored?.attributes ?? {}, "__proto__"));
    assert.equal(stored?.priority, 3);
    assert.equal(stored?.group, "b.c");
    assert.equal(stored?.dedupKey, "mail-1");
    assert.equal(stored?.ttr?.seconds, 1n);
    assert.equal(stored?.ttr?.nanos, 5e8);
    const readyTime = Number(stored?.readyTime?.seconds) - Number(stored?.createTime?.seconds);
    assert.equal(readyTime, 60);
  });

  test("lets each put of a refused batch succeed or fail by itself", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer();
    const tasks = Array.from({ length: 100 }, (): NewTask => task);
    tasks[13] = { payload: "x".repeat(2 * 1024 ** 2) };
    tasks[77] = { payload: "x", priority: 1 };
    tasks[78] = { payload: "x", group: "g".repeat(1_000) };
    const ends = await outcomes([
      ...tasks.map((each) => producer.put(tube, each)),
      producer.put("none", task),
      producer.put("no such name", task),
    ]);
    const expected = tasks.map(() => "put");
    expected[13] = "PAYLOAD_TOO_LARGE";
    expected[77] = expected[78] = "INVALID_PARAMS";
    assert.deepEqual(ends, [...expected, "TUBE_NOT_FOUND", "INVALID_PARAMS"]);
    assert.equal((await countsOf(client, tube)).ready, 97);
  });

  test("refuses what cannot be sent, and the others are put", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer();
    const wrong: unknown[] = [
      { payload: undefined },
      { payload: Number.NaN },
      { payload: "x", priority: -1 },
      { payload: "x", priority: 1.5 },
      { payload: "x", ttlMs: Number.POSITIVE_INFINITY },
      { payload: "x", delayMs: -1 },
      { payload: "x", group: 7 },
      { payload: "x", attributes: { a: 1 } },
    ];
    const ends = await outcomes([
      ...wrong.map((each) => producer.put(tube, each as NewTask)),
      producer.put(tube, { payload: "x".repeat(17 * 1024 ** 2) }),
      producer.put(tube, task),
    ]);
    assert.deepEqual(ends, [...wrong.map(() => "INVALID_PARAMS"), "PAYLOAD_TOO_LARGE", "put"]);
  });

  test("says which tasks were there already, by their dedup keys", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer();
    const keys = ["a", "b", "a", "c", "b"];
    const puts = await Promise.all(
      keys.map((dedupKey) => producer.put(tube, { payload: "x", dedupKey })),
    );
    assert.deepEqual(
      puts.map(({ id, duplicate }) => [Number(id), duplicate]),
      [
        [1, false],
        [2, false],
        [1, true],
        [3, false],
        [2, true],
      ],
    );
  });

  test("fills a tube to its capacity, and the puts beyond fail with TUBE_FULL", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client, TubeKind.LIMFIFOTTL, { capacity: 10n });
    const producer = client.producer();
    const puts = Array.from({ length: 25 }, () => producer.put(tube, task));
    const ends = await outcomes(puts);
    assert.deepEqual(ends.slice(0, 10), Array(10).fill("put"));
    assert.deepEqual(ends.slice(10), Array(15).fill("TUBE_FULL"));
    const { putCalls } = await countsOf(client, tube);
    assert.ok(putCalls < 25, `${putCalls} calls`);
  });

  test("with waitMs waits for room, in order, and holds up no other tube", async (t) => {
    const client = await startWithClient(t);
    const full = await createTube(client, TubeKind.LIMFIFOTTL, { name: "full", capacity: 4n });
    const other = await createTube(client, TubeKind.FIFO, { name: "other" });
    const producer = client.producer({ waitMs: 60_000 });
    const puts = Array.from({ length: 50 }, (_, index) =>
      producer.put(full, { payload: { index } }),
    );
    await until(async () => (await countsOf(client, full)).ready === 4);
    await producer.put(other, task);
    const handled: unknown[] = [];
    const worker = client.worker({
      tubes: [full],
      concurrency: 1,
      handler: ({ payload }) => handled.push(payload),
      onError: (error) => assert.fail(error),
    });
    await Promise.all(puts);
    await until(() => handled.length === 50);
    assert.deepEqual(
      handled,
      handled.map((_, index) => ({ index })),
    );
    await worker.close();
  });

  test("takes no more than its limit of puts without an answer", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const few = client.producer({ maxPendingTasks: 100 });
    const ends = await outcomes(Array.from({ length: 150 }, () => few.put(tube, task)));
    assert.deepEqual(ends.slice(0, 100), Array(100).fill("put"));
    assert.deepEqual(ends.slice(100), Array(50).fill("TOO_MANY_PENDING"));
    const small = client.producer({ maxPendingBytes: 10_000 });
    const large = { payload: "x".repeat(9_000) };
    const [first, second, third] = [1, 2, 3].map(() => small.put(tube, large));
    assert.deepEqual(await outcomes([first, second, third].map((put) => put ?? Promise.reject())), [
      "put",
      "put",
      "TOO_MANY_PENDING",
    ]);
  });

  test("lets a loop that awaits no put go on when there is room", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer({ maxPendingTasks: 100 });
    const puts: Promise<unknown>[] = [];
    for (let count = 0; count < 1_000; count++) {
      await producer.room();
      puts.push(producer.put(tube, task));
    }
    await Promise.all(puts);
    assert.equal((await countsOf(client, tube)).ready, 1_000);
  });

  test("answers everything before it is closed, and then takes nothing", async (t) => {
    const client = await startWithClient(t);
    const tube = await createTube(client);
    const producer = client.producer();
    let answered = 0;
    for (let count = 0; count < 2_000; count++)
      void producer.put(tube, task).then(() => answered++);
    await producer.close();
    assert.equal(answered, 2_000);
    await assert.rejects(producer.put(tube, task), { reason: "CLOSED" });
  });

  test("tells that a put was not sent when there is no server in time", async (t) => {
    const producer = connectTo(t, "127.0.0.1:1").producer({ sendTimeoutMs: 20 });
    await assert.rejects(producer.put("jobs", task), {
      name: "UsherClientError",
      code: "DEADLINE_EXCEEDED",
      reason: "NOT_SENT",
    });
    await producer.close();
  });
});
