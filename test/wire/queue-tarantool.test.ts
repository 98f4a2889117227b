import assert from "node:assert/strict";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { atMs, failure, ms, Queue, text, textOf, texts, until } from "../support/queue.ts";
import { startService } from "../support/service.ts";

// Sequences of tarantool/queue's own tests that no other test here walks as a whole;
// docs/tarantool-queue-tests.md has the list.

const GONE = "NotFound TASK_NOT_FOUND";

for (const kind of ["FIFOTTL", "UTUBETTL"] as const) {
  test(`a ${kind} task is delayed, taken, lost by ttr, taken again and over by ttl`, async (t) => {
    const q = Queue.of(await startService(t));
    await q.tube("jobs", kind);
    const put = async () => {
      const task = text("cde", { delay: ms(300), ttl: ms(600), ttr: ms(100) });
      const answer = await q.client.put({ tube: "jobs", task });
      assert.ok(answer.task);
      return answer.task;
    };
    let task = await put();
    assert.equal(task.state, TaskState.DELAYED);
    let [taken] = await q.takeUpTo(1, "jobs", { wait: 1_000 });
    // Until it is taken before its ttl is over.
    for (; taken === undefined; [taken] = await q.takeUpTo(1, "jobs", { wait: 1_000 })) {
      task = await put();
    }
    assert.ok(Date.now() >= atMs(task.readyTime));
    assert.equal(textOf(taken), "cde");
    let last = taken;
    for (;;) {
      const [again] = await q.takeUpTo(1, "jobs", { wait: 2_000 });
      if (again === undefined) break;
      assert.deepEqual([textOf(again), again.attempt], ["cde", last.attempt + 1]);
      last = again;
    }
    assert.ok(Date.now() >= atMs(task.expireTime));
    assert.equal(await failure(q.client.getTask({ tube: "jobs", id: task.id })), GONE);
    const late = q.client.ack({ lease: last.lease });
    assert.equal(await failure(late), "FailedPrecondition LEASE_LOST");
  });

  test(`a ${kind} task that is released without a delay ends with its ttl`, async (t) => {
    const q = Queue.of(await startService(t));
    await q.tube("jobs", kind);
    await q.put("jobs", "a", { ttl: ms(500), ttr: ms(10_000) });
    for (const { lease } of await q.takeUpTo(1, "jobs")) await q.client.release({ lease });
    await q.becomes("jobs", {});
    assert.deepEqual(await q.takeUpTo(1, "jobs"), []);
    assert.equal((await q.statistics("jobs")).expired, 1n);
  });

  test(`tasks of 20 ${kind} tubes and 20 of one are over with their ttl`, async (t) => {
    const q = Queue.of(await startService(t));
    const tubes = Array.from({ length: 20 }, (_, index) => `tube-${index}`);
    for (const tube of tubes) {
      await q.tube(tube, kind);
      await q.put(tube, "a", { ttl: ms(50) });
      await q.put("tube-0", "b", { ttl: ms(50) });
    }
    await until(async () => {
      const { tubes: all } = await q.client.getStatistics({});
      return all.reduce((sum, { expired = 0n }) => sum + expired, 0n) === 40n;
    }, "40 tasks that are over");
    for (const tube of tubes) assert.deepEqual(await q.takeUpTo(9, tube), []);
  });

  test(`a ${kind} task that is deleted as its ttl ends is gone once, and the next ends too`, async (t) => {
    const q = Queue.of(await startService(t));
    await q.tube("jobs", kind);
    let deleted = 0n;
    for (let turn = 0; turn < 50; turn++) {
      const { task } = await q.client.put({ tube: "jobs", task: text("a", { ttl: ms(10) }) });
      await until(() => Date.now() >= atMs(task?.expireTime) - (turn % 3), "the end of the ttl");
      const end = await q.client.deleteTask({ tube: "jobs", id: task?.id ?? 0n }).then(
        () => "deleted",
        (error) => failure(Promise.reject(error)),
      );
      if (end === "deleted") deleted++;
      else assert.equal(end, GONE);
    }
    await q.becomes("jobs", {});
    const { done, expired } = await q.statistics("jobs");
    assert.deepEqual([done, (done ?? 0n) + (expired ?? 0n)], [deleted, 50n]);
  });
}

test("a release hands its task to a take that waits, in tubes of every kind", async (t) => {
  const q = Queue.of(await startService(t));
  for (const kind of ["FIFO", "FIFOTTL", "LIMFIFOTTL", "UTUBE", "UTUBETTL"] as const) {
    await q.tube(kind, kind, kind === "LIMFIFOTTL" ? { capacity: 1n } : {});
    await q.put(kind, "test123");
    const { lease, id } = await q.take(kind);
    const waiting = q.take(kind, { wait: 3_600_000 });
    await q.waiting(kind, 1);
    await q.client.release({ lease });
    const again = await waiting;
    assert.deepEqual([textOf(again), again.id, again.attempt], ["test123", id, 2]);
  }
});

test("a worker fails each task with a delay, and later sets each aside", async (t) => {
  const q = Queue.of(await startService(t));
  await q.tube("jobs", "FIFOTTL");
  const names = ["1", "2", "3", "4", "5"];
  await q.client.batchPut({ tube: "jobs", tasks: names.map((name) => text(name)) });
  const worker = q.work({ tubes: ["jobs"] });
  const first = await worker.take(5);
  worker.settle({
    sequence: 1n,
    releases: first.map(({ lease }) => ({ lease, delay: ms(100) })),
  });
  assert.deepEqual((await worker.settled()).failures, {});
  const second = await worker.take(5);
  assert.deepEqual(texts(second).sort(), names);
  worker.settle({ sequence: 2n, buries: second.map(({ lease }) => ({ lease, reason: "123" })) });
  assert.deepEqual((await worker.settled()).failures, {});
  assert.deepEqual(await q.counts("jobs"), { buried: 5 });
  worker.cancel();
});

test("five takers wait, and five puts, each by a client of its own, serve them all", async (t) => {
  const usher = await startService(t);
  const q = Queue.of(usher);
  await q.tube("jobs");
  const takers = names().map(() => Queue.of(usher).take("jobs", { wait: 3_600_000 }));
  await q.waiting("jobs", 5);
  await Promise.all(names().map((name) => Queue.of(usher).put("jobs", name)));
  assert.deepEqual(texts(await Promise.all(takers)).sort(), names());
});

function names(): string[] {
  return ["1", "2", "3", "4", "5"];
}

test("a tube is used, emptied and deleted, and is really gone", async (t) => {
  const q = Queue.of(await startService(t));
  await q.tube("test");
  await q.put("test", "123");
  const task = await q.take("test", { wait: 100 });
  assert.equal(textOf(task), "123");
  assert.equal((await q.client.ack({ lease: task.lease })).task?.state, TaskState.DONE);
  await q.client.deleteTube({ tube: "test" });
  assert.deepEqual((await q.client.listTubes({})).tubes, []);
});
