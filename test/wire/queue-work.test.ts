import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import {
  failure,
  incompressible,
  ms,
  msBetween,
  Queue,
  streamWays,
  text,
  textOf,
  texts,
  until,
} from "../support/queue.ts";
import { startRelay, through } from "../support/relay.ts";
import { startService, type Way } from "../support/service.ts";

async function start(t: TestContext, way?: Way): Promise<Queue> {
  const q = Queue.of(await startService(t), way);
  await q.tube("jobs", "FIFOTTL");
  return q;
}

async function putMany(q: Queue, tube: string, count: number): Promise<void> {
  const tasks = Array.from({ length: count }, (_, index) => text(String(index + 1)));
  await q.client.batchPut({ tube, tasks });
}

for (const way of streamWays) {
  describe(`a worker's stream over ${way}`, () => {
    test("pushes tasks that are there and tasks that come, and answers settlements", async (t) => {
      const q = await start(t, way);
      await q.put("jobs", "there");
      const worker = q.work({ tubes: ["jobs"] });
      const [first] = await worker.take(1);
      assert.ok(first);
      assert.equal(textOf(first), "there");
      assert.equal(first.state, TaskState.LEASED);
      assert.equal(first.attempt, 1);
      await q.put("jobs", "comes");
      const [second] = await worker.take(1);
      assert.ok(second);
      worker.settle({ sequence: 7n, acks: [first.lease, second.lease] });
      assert.deepEqual(await worker.settled(), { sequence: 7n, failures: {} });
      assert.deepEqual(await q.counts("jobs"), {});
      worker.halfClose();
      assert.deepEqual(await worker.rest(), []);
    });

    test("takes turns at its tubes: one task is not behind the backlog of another tube", async (t) => {
      const q = await start(t, way);
      // Names of different shards, where there are several.
      const tubes = ["jobs", "mail", "video", "audio"];
      for (const tube of tubes.slice(1)) await q.tube(tube, "FIFO");
      await putMany(q, "jobs", 200);
      for (const prefetch of [1, 4]) {
        const worker = q.work({ tubes, prefetch });
        await putMany(q, "mail", 1);
        await putMany(q, "audio", 1);
        const from: string[] = [];
        for (let sequence = 1n; from.length < 30; ) {
          const message = await worker.message();
          for (const task of message?.case === "tasks" ? message.value.tasks : []) {
            from.push(task.tube);
            worker.settle({ sequence: sequence++, acks: [task.lease] });
          }
        }
        assert.ok(from.includes("mail") && from.includes("audio"), from.join(" "));
        worker.cancel();
        await until(
          async () => !("leased" in (await q.counts("jobs"))),
          "the stream's leases have ended",
        );
      }
    });

    test("holds no more than prefetch unsettled, and each settlement makes room", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 10);
      const worker = q.work({ tubes: ["jobs"], prefetch: 3 });
      const held = await worker.take(3);
      assert.deepEqual(await q.counts("jobs"), { ready: 7, leased: 3 });
      worker.settle({ sequence: 1n, acks: [held[0]?.lease ?? ""] });
      // The answer and the next task may come in either order.
      const messages = [await worker.message(), await worker.message()];
      const tasks = messages.flatMap((message) =>
        message?.case === "tasks" ? message.value.tasks : [],
      );
      assert.deepEqual(texts(tasks), ["4"]);
      const [, second, third] = held;
      worker.settle({ sequence: 2n, touches: [{ lease: second?.lease ?? "", extend: ms(1_000) }] });
      assert.deepEqual(await worker.settled(), { sequence: 2n, failures: {} });
      assert.deepEqual(await q.counts("jobs"), { ready: 6, leased: 3 }, "a touch makes no room");
      // A single call makes room too.
      await q.client.ack({ lease: third?.lease ?? "" });
      assert.deepEqual(texts(await worker.take(1)), ["5"]);
      worker.cancel();
    });

    test("takes another prefetch at any time, and gives back what was not begun", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 5);
      const worker = q.work({ tubes: ["jobs"], prefetch: 2 });
      const [first, second] = (await worker.take(2)).map(({ lease }) => lease);
      worker.send({ case: "prefetch", value: 3 });
      assert.deepEqual(texts(await worker.take(1)), ["3"]);
      worker.send({ case: "prefetch", value: 0 });
      worker.settle({ sequence: 1n, acks: [first ?? ""], giveBacks: [second ?? "", "nobody's"] });
      assert.deepEqual(await worker.settled(), {
        sequence: 1n,
        failures: { "nobody's": "LEASE_LOST" },
      });
      assert.deepEqual(await q.counts("jobs"), { ready: 3, leased: 1 }, "it gets no more");
      const [again] = (await q.client.take({ tube: "jobs" })).tasks;
      assert.deepEqual([again && textOf(again), again?.attempt], ["2", 1], "no attempt is used");
      worker.send({ case: "prefetch", value: 10_001 });
      assert.equal(await failure(worker.rest()), "InvalidArgument INVALID_PARAMS prefetch");
    });

    test("settles in four ways and numbers its answers", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 6);
      const worker = q.work({ tubes: ["jobs"], prefetch: 6 });
      const tasks = await worker.take(6);
      const [a, b, c, d, e, f] = tasks.map(({ lease }) => lease) as [
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      worker.settle({
        sequence: 18_446_744_073_709_551_615n,
        acks: [a],
        releases: [{ lease: b, reason: "not now", delay: ms(3_600_000) }, { lease: c }],
        buries: [{ lease: d, reason: "bad" }],
        touches: [{ lease: e, extend: ms(5_000) }],
      });
      // What was released at once comes again; the answer comes before or after it.
      const messages = [await worker.message(), await worker.message()];
      const settled = messages.find((message) => message?.case === "settled");
      assert.equal(settled?.value.sequence, 18_446_744_073_709_551_615n);
      assert.deepEqual(settled.value.failures, []);
      const again = messages.find((message) => message?.case === "tasks");
      assert.deepEqual(
        again?.value.tasks.map((task) => [textOf(task), task.attempt]),
        [["3", 2]],
      );
      const stored = (await q.client.listTasks({ tube: "jobs" })).tasks;
      assert.deepEqual(
        stored.map((task) => [textOf(task), task.state, task.reason]),
        [
          ["2", TaskState.DELAYED, "not now"],
          ["3", TaskState.LEASED, ""],
          ["4", TaskState.BURIED, "bad"],
          ["5", TaskState.LEASED, ""],
          ["6", TaskState.LEASED, ""],
        ],
      );
      const ends = stored.map(({ leaseExpireTime }) => leaseExpireTime);
      assert.ok(msBetween(ends[4], ends[3]) >= 4_999, "the touched lease ends later");
      assert.ok(f);
      worker.cancel();
    });

    test("lists what failed, and the rest is done", async (t) => {
      const q = await start(t, way);
      await q.tube("plain");
      await putMany(q, "plain", 3);
      const worker = q.work({ tubes: ["plain"] });
      const [a, b, c] = (await worker.take(3)).map(({ lease }) => lease) as [
        string,
        string,
        string,
      ];
      worker.settle({
        sequence: 1n,
        acks: [a, "1.nobody", ""],
        releases: [{ lease: b, delay: ms(1_000), reason: "no delays here" }],
        buries: [{ lease: a }],
        touches: [{ lease: c }],
      });
      const { sequence, failures } = await worker.settled();
      assert.equal(sequence, 1n);
      assert.deepEqual(failures, {
        "1.nobody": "LEASE_LOST",
        "": "INVALID_PARAMS",
        [a]: "LEASE_LOST",
        [b]: "INVALID_PARAMS",
        [c]: "INVALID_PARAMS",
      });
      assert.deepEqual(await q.counts("plain"), { leased: 2 });
      worker.settle({ sequence: 2n, acks: [b, c] });
      assert.deepEqual(await worker.settled(), { sequence: 2n, failures: {} });
      worker.cancel();
    });

    test("a half-close pushes no more, waits for what is unsettled, then ends", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 3);
      const worker = q.work({ tubes: ["jobs"], prefetch: 2 });
      const [first, second] = await worker.take(2);
      worker.settle({ sequence: 1n, acks: [first?.lease ?? ""] });
      worker.halfClose();
      const rest = worker.rest();
      // Whatever was pushed before the half-close was heard is settled by single calls.
      let ended = false;
      rest.then(() => {
        ended = true;
      });
      await q.put("jobs", "later");
      await q.client.ack({ lease: second?.lease ?? "" });
      await until(async () => {
        if (ended) return true;
        const { tasks } = await q.client.listTasks({ tube: "jobs", state: TaskState.LEASED });
        if (tasks.length > 0) await q.client.releaseAll({ tube: "jobs" });
        return false;
      }, "the end of the stream");
      const messages = await rest;
      assert.ok(
        messages.some((message) => message.case === "settled" && message.value.sequence === 1n),
      );
      const { leased = 0, ready = 0 } = await q.counts("jobs");
      assert.deepEqual([leased, ready], [0, 2]);
    });

    test("a half-close ends when the lease of what is unsettled does", async (t) => {
      const q = await start(t, way);
      await q.put("jobs", "a", { ttr: ms(50) });
      const worker = q.work({ tubes: ["jobs"] });
      const [task] = await worker.take(1);
      worker.halfClose();
      assert.deepEqual(await worker.rest(), []);
      assert.equal(
        await failure(q.client.ack({ lease: task?.lease ?? "" })),
        "FailedPrecondition LEASE_LOST",
      );
      await q.becomes("jobs", { ready: 1 });
    });

    test("its end releases what is unsettled", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 2);
      const worker = q.work({ tubes: ["jobs"] });
      await worker.take(2);
      worker.cancel();
      await q.becomes("jobs", { ready: 2 });
      const { tasks } = await q.client.listTasks({ tube: "jobs" });
      assert.deepEqual(
        tasks.map(({ attempt, reason }) => [attempt, reason]),
        [
          [1, "stream over"],
          [1, "stream over"],
        ],
      );
    });

    test("with a session its end releases nothing", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 1);
      const { session } = await q.client.openSession({});
      const worker = q.work({ tubes: ["jobs"], session: session?.id ?? "" });
      const [task] = await worker.take(1);
      assert.equal(task?.leaseExpireTime, undefined, "it lasts as long as the session");
      await q.waiting("jobs", 1);
      worker.cancel();
      await q.waiting("jobs", 0);
      assert.deepEqual(await q.counts("jobs"), { leased: 1 });
      await q.client.ack({ lease: task?.lease ?? "" });
    });

    test("an open stream keeps its session, however long that is silent", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 1);
      const { session } = await q.client.openSession({ ttl: ms(1_000) });
      const worker = q.work({ tubes: ["jobs"], session: session?.id ?? "" });
      await worker.take(1);
      await sleep(1_500);
      assert.deepEqual(await q.counts("jobs"), { leased: 1 });
      worker.cancel();
      await q.becomes("jobs", { ready: 1 });
      const gone = q.client.renewSession({ session: session?.id ?? "" });
      assert.equal(await failure(gone), "NotFound SESSION_NOT_FOUND");
    });

    test("a first message that is no good start ends the stream with its reason", async (t) => {
      const q = await start(t, way);
      const bad: [Parameters<Queue["work"]>[0], string][] = [
        [{ tubes: [] }, "InvalidArgument INVALID_PARAMS start.tubes"],
        [{ tubes: ["jobs", "a b"] }, "InvalidArgument INVALID_PARAMS start.tubes[1]"],
        [{ tubes: ["jobs", ""] }, "InvalidArgument INVALID_PARAMS start.tubes[1]"],
        [{ tubes: ["jobs"], prefetch: 10_001 }, "InvalidArgument INVALID_PARAMS start.prefetch"],
        [
          { tubes: ["jobs"], session: "x".repeat(300) },
          "InvalidArgument INVALID_PARAMS start.session",
        ],
        [{ tubes: ["jobs"], session: "nobody" }, "NotFound SESSION_NOT_FOUND"],
        [{ tubes: ["jobs", "nope"] }, "NotFound TUBE_NOT_FOUND"],
      ];
      for (const [message, expected] of bad) {
        assert.equal(await failure(q.work(message).rest()), expected);
      }
      const first = q.open();
      first.settle({ sequence: 1n });
      assert.equal(await failure(first.rest()), "InvalidArgument INVALID_PARAMS start");
      const empty = q.open();
      empty.sendNothing();
      assert.equal(await failure(empty.rest()), "InvalidArgument INVALID_PARAMS start");
      await q.waiting("jobs", 0);
    });

    test("a second start ends it, and releases what it held", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 1);
      const worker = q.work({ tubes: ["jobs"] });
      await worker.take(1);
      worker.send({ case: "start", value: { tubes: ["jobs"] } });
      assert.equal(await failure(worker.rest()), "InvalidArgument INVALID_PARAMS start");
      await q.becomes("jobs", { ready: 1 });
    });

    test("a settlement of more than 10,000 leases ends it", async (t) => {
      const q = await start(t, way);
      const worker = q.work({ tubes: ["jobs"] });
      worker.settle({ sequence: 1n, acks: Array(10_001).fill("x") });
      assert.equal(await failure(worker.rest()), "InvalidArgument INVALID_PARAMS settle");
    });

    test("a stream that is closed before its first message ends well", async (t) => {
      const q = await start(t, way);
      const worker = q.open();
      worker.halfClose();
      assert.deepEqual(await worker.rest(), []);
    });

    test("one tube's end ends it with TUBE_NOT_FOUND and releases what it holds of others", async (t) => {
      const q = await start(t, way);
      await q.tube("other");
      await putMany(q, "jobs", 1);
      const worker = q.work({ tubes: ["jobs", "other"] });
      await worker.take(1);
      await q.client.deleteTube({ tube: "other" });
      assert.equal(await failure(worker.rest()), "NotFound TUBE_NOT_FOUND");
      await q.becomes("jobs", { ready: 1 });
    });

    test("the close of its session ends it with SESSION_NOT_FOUND", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 1);
      const { session } = await q.client.openSession({});
      const worker = q.work({ tubes: ["jobs"], session: session?.id ?? "" });
      await worker.take(1);
      await q.client.closeSession({ session: session?.id ?? "" });
      assert.equal(await failure(worker.rest()), "NotFound SESSION_NOT_FOUND");
      await q.becomes("jobs", { ready: 1 });
    });

    test("takes from many tubes, up to prefetch of all together", async (t) => {
      const q = await start(t, way);
      const tubes = Array.from({ length: 20 }, (_, index) => `tube-${index}`);
      for (const tube of tubes) await q.tube(tube);
      const worker = q.work({ tubes: [...tubes, ...tubes], prefetch: 15 });
      await q.waiting("tube-19", 1);
      for (const tube of tubes) await q.put(tube, tube);
      const tasks = await worker.take(15);
      assert.equal(new Set(texts(tasks)).size, 15);
      worker.settle({ sequence: 1n, acks: tasks.map(({ lease }) => lease) });
      const rest: string[] = [];
      let settled = false;
      while (rest.length < 5 || !settled) {
        const message = await worker.message();
        if (message?.case === "tasks") rest.push(...texts(message.value.tasks));
        else settled = true;
      }
      assert.deepEqual([...texts(tasks), ...rest].sort(), tubes.toSorted());
      worker.cancel();
    });

    test("no prefetch named is 32", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 600);
      const worker = q.work({ tubes: ["jobs"] });
      await worker.take(32);
      assert.deepEqual(await q.counts("jobs"), { ready: 568, leased: 32 });
      worker.cancel();
    });

    test("a lease that is lost by time gives its place to another task", async (t) => {
      const q = await start(t, way);
      await q.put("jobs", "slow", { ttr: ms(50), priority: 1 });
      const worker = q.work({ tubes: ["jobs"], prefetch: 1 });
      const [slow] = await worker.take(1);
      const [again] = await worker.take(1);
      assert.equal(again?.id, slow?.id);
      assert.equal(again?.attempt, 2);
      assert.ok((again?.fence ?? 0n) > (slow?.fence ?? 0n));
      worker.settle({ sequence: 1n, acks: [slow?.lease ?? ""] });
      const { failures } = await worker.settled();
      assert.deepEqual(failures, { [slow?.lease ?? ""]: "LEASE_LOST" });
      worker.cancel();
    });

    test("a message stops growing at 3 MiB, one task at least", async (t) => {
      const q = await start(t, way);
      const large = "x".repeat(2 ** 20);
      for (let count = 0; count < 5; count++) await q.put("jobs", large);
      const worker = q.work({ tubes: ["jobs"] });
      const sizes: number[] = [];
      for (let count = 0; count < 5; count += sizes.at(-1) ?? 0) {
        sizes.push((await worker.tasks()).length);
      }
      assert.ok(Math.max(...sizes) <= 3, String(sizes));
      worker.cancel();
    });

    test("two streams on one tube share it, as each has room", async (t) => {
      const q = await start(t, way);
      const one = q.work({ tubes: ["jobs"], prefetch: 2 });
      await q.waiting("jobs", 1);
      const two = q.work({ tubes: ["jobs"], prefetch: 2 });
      await q.waiting("jobs", 2);
      for (let count = 1; count <= 4; count++) await q.put("jobs", String(count));
      assert.deepEqual(texts(await one.take(2)), ["1", "3"]);
      assert.deepEqual(texts(await two.take(2)), ["2", "4"]);
      one.cancel();
      two.cancel();
    });

    test("every settlement sent before a half-close is answered", async (t) => {
      const q = await start(t, way);
      await putMany(q, "jobs", 1_000);
      const worker = q.work({ tubes: ["jobs"], prefetch: 1_000 });
      const tasks = await worker.take(1_000);
      for (const [index, { lease }] of tasks.entries()) {
        worker.settle({ sequence: BigInt(index), acks: [lease] });
      }
      worker.halfClose();
      const answers = await worker.rest();
      const numbers = answers.map(
        (message) => message.case === "settled" && message.value.sequence,
      );
      assert.deepEqual(
        numbers.toSorted((a, b) => Number(a) - Number(b)),
        tasks.map((_, index) => BigInt(index)),
      );
      assert.deepEqual(await q.counts("jobs"), {});
    });
  });
}

describe("a worker's stream whose client vanishes", () => {
  for (const port of ["grpcAddress", "httpAddress"] as const) {
    test(`releases what it held, by ${port}`, async (t) => {
      const usher = await startService(t);
      const q = Queue.of(usher);
      await q.tube("jobs");
      await putMany(q, "jobs", 10);
      const relay = await startRelay(t, usher[port]);
      const worker = Queue.of(through(relay)).work({ tubes: ["jobs"] });
      await worker.take(10);
      relay.cut();
      await failure(worker.rest());
      await q.becomes("jobs", { ready: 10 });
      await q.waiting("jobs", 0);
    });

    test(`gives back what it never got: no attempt is used, by ${port}`, async (t) => {
      const usher = await startService(t);
      const q = Queue.of(usher);
      await q.tube("jobs", "FIFO", { maxAttempts: 1 });
      const relay = await startRelay(t, usher[port]);
      const worker = Queue.of(through(relay)).work({ tubes: ["jobs"] });
      await q.waiting("jobs", 1);
      relay.stall();
      for (let count = 0; count < 20; count++) await q.put("jobs", incompressible(1_000_000));
      // It gets no more than a few MiB that it does not read, whatever its prefetch.
      const leased = async (): Promise<number> => (await q.counts("jobs")).leased ?? 0;
      await until(async () => (await leased()) >= 5, "five are on their way");
      assert.ok((await leased()) < 20);
      relay.cut();
      await failure(worker.rest());
      await until(async () => (await leased()) === 0, "no lease");
      const { ready = 0, buried = 0 } = await q.counts("jobs");
      assert.equal(ready + buried, 20);
      // The network may have taken some of it: those count as tried, the others do not.
      assert.ok(ready >= 10, `${ready} of 20 are as if never taken`);
    });
  }
});

test("a worker that does not read is held back and loses nothing", async (t) => {
  const usher = await startService(t);
  const q = Queue.of(usher);
  await q.tube("jobs");
  const large = incompressible(5_000);
  for (let batch = 0; batch < 5; batch++) {
    await q.client.batchPut({ tube: "jobs", tasks: Array(100).fill(text(large)) });
  }
  const relay = await startRelay(t, usher.grpcAddress);
  const worker = Queue.of(through(relay)).work({ tubes: ["jobs"], prefetch: 500 });
  relay.stall();
  await q.becomes("jobs", { leased: 500 });
  // Others are served meanwhile.
  await q.put("jobs", "for another");
  assert.equal(textOf(await q.take("jobs")), "for another");
  relay.resume();
  const tasks = await worker.take(500);
  assert.deepEqual(
    tasks.map(({ id }) => id),
    tasks.map((_, index) => BigInt(index + 1)),
  );
  worker.settle({ sequence: 1n, acks: tasks.map(({ lease }) => lease) });
  assert.deepEqual(await worker.settled(), { sequence: 1n, failures: {} });
  worker.cancel();
});
