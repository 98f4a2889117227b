import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { type Task, TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import {
  atMs,
  describeError,
  failure,
  ms,
  msBetween,
  Queue,
  text,
  textOf,
  texts,
  until,
} from "../support/queue.ts";
import { startService } from "../support/service.ts";

const LOST = "FailedPrecondition LEASE_LOST";
const HOUR = ms(3_600_000);

async function start(t: TestContext): Promise<Queue> {
  return Queue.of(await startService(t));
}

/** Takes and acks until nothing is ready: the order in which workers would see the tasks. */
async function orderOf(q: Queue, tube: string): Promise<string[]> {
  const order: string[] = [];
  for (;;) {
    const [task] = await q.takeUpTo(1, tube);
    if (task === undefined) return order;
    order.push(textOf(task));
    await q.client.ack({ lease: task.lease });
  }
}

describe("the order of takes", () => {
  test("FIFO: as they were put, in one batch and from batch to batch", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "1");
    await q.client.batchPut({ tube: "jobs", tasks: [text("2"), text("3")] });
    await q.put("jobs", "4");
    assert.deepEqual(await orderOf(q, "jobs"), ["1", "2", "3", "4"]);
  });

  for (const kind of ["FIFOTTL", "LIMFIFOTTL", "UTUBETTL"] as const) {
    test(`${kind}: by priority, 0 first, then as they were put`, async (t) => {
      const q = await start(t);
      await q.tube("jobs", kind, {
        defaultPriority: 5,
        ...(kind === "LIMFIFOTTL" && { capacity: 9n }),
      });
      await q.put("jobs", "default");
      await q.put("jobs", "7", { priority: 7 });
      await q.put("jobs", "0", { priority: 0 });
      await q.put("jobs", "5", { priority: 5 });
      await q.put("jobs", "4294967295", { priority: 4_294_967_295 });
      await q.put("jobs", "0 again", { priority: 0 });
      assert.deepEqual(await orderOf(q, "jobs"), [
        "0",
        "0 again",
        "default",
        "5",
        "7",
        "4294967295",
      ]);
    });
  }

  test("a released task takes its old place", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    for (const value of ["1", "2", "3"]) await q.put("jobs", value);
    const [first, second] = await q.takeUpTo(2, "jobs");
    await q.client.release({ lease: second?.lease ?? "" });
    await q.client.release({ lease: first?.lease ?? "" });
    assert.deepEqual(await orderOf(q, "jobs"), ["1", "2", "3"]);
  });

  test("a kicked task takes its old place", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    for (const value of ["1", "2", "3"]) await q.put("jobs", value);
    await q.client.bury({ lease: (await q.take("jobs")).lease });
    await q.client.kickTasks({ tube: "jobs", count: 1 });
    assert.deepEqual(await orderOf(q, "jobs"), ["1", "2", "3"]);
  });

  test("a task whose delay is over takes its place by its put", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "1", { delay: ms(20) });
    await q.put("jobs", "2");
    await q.becomes("jobs", { ready: 2 });
    assert.deepEqual(await orderOf(q, "jobs"), ["1", "2"]);
  });
});

describe("groups", () => {
  for (const kind of ["UTUBE", "UTUBETTL"] as const) {
    test(`${kind}: one task of a group at a time, in order; other groups go on`, async (t) => {
      const q = await start(t);
      await q.tube("jobs", kind);
      for (const [value, group] of [
        ["a1", "a"],
        ["a2", "a"],
        ["b1", "b"],
        ["none", ""],
        ["none too", ""],
      ] as const) {
        await q.put("jobs", value, { group });
      }
      const taken = await q.takeUpTo(10, "jobs");
      assert.deepEqual(texts(taken), ["a1", "b1", "none", "none too"]);
      assert.equal(taken[0]?.group, "a");
      assert.deepEqual(await q.takeUpTo(10, "jobs"), []);
      const waiting = q.take("jobs", { wait: 3_600_000 });
      await q.waiting("jobs", 1);
      await q.client.ack({ lease: taken[0]?.lease ?? "" });
      assert.equal(textOf(await waiting), "a2");
    });

    test(`${kind}: a release keeps the order of the group`, async (t) => {
      const q = await start(t);
      await q.tube("jobs", kind);
      await q.put("jobs", "first", { group: "g" });
      await q.put("jobs", "second", { group: "g" });
      const { lease } = await q.take("jobs");
      const next = q.take("jobs", { wait: 3_600_000 });
      await q.waiting("jobs", 1);
      await q.client.release({ lease });
      assert.equal(textOf(await next), "first");
    });

    test(`${kind}: a buried task steps out of its group's order, and comes back to its place`, async (t) => {
      const q = await start(t);
      await q.tube("jobs", kind);
      for (const value of ["1", "2", "3"]) await q.put("jobs", value, { group: "g" });
      const next = async () => {
        const task = await q.take("jobs");
        return [textOf(task), task.lease] as const;
      };
      const [one, lease] = await next();
      assert.equal(one, "1");
      await q.client.bury({ lease });
      const [two, second] = await next();
      assert.equal(two, "2");
      await q.client.kickTasks({ tube: "jobs", count: 1 });
      assert.deepEqual(await q.takeUpTo(9, "jobs"), [], "one at a time still");
      await q.client.ack({ lease: second });
      assert.deepEqual(await orderOf(q, "jobs"), ["1", "3"]);
    });
  }

  test("a delayed task steps out of its group's order, and comes back to its place", async (t) => {
    const q = await start(t);
    for (let turn = 1; ; turn++) {
      const tube = `jobs-${turn}`;
      await q.tube(tube, "UTUBETTL");
      await q.put(tube, "late", { group: "g", delay: ms(200) });
      await q.put(tube, "now", { group: "g" });
      await q.put(tube, "after", { group: "g" });
      const now = await q.take(tube);
      // Until the take comes before the delay is over.
      if (textOf(now) === "late") continue;
      assert.equal(textOf(now), "now");
      await q.becomes(tube, { leased: 1, ready: 2 });
      await q.client.ack({ lease: now.lease });
      assert.deepEqual(await orderOf(q, tube), ["late", "after"]);
      return;
    }
  });

  test("a release with a delay lets the next of the group run", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "UTUBETTL");
    await q.put("jobs", "first", { group: "g" });
    await q.put("jobs", "second", { group: "g" });
    const { lease } = await q.take("jobs");
    const waiting = q.take("jobs", { wait: 3_600_000 });
    await q.waiting("jobs", 1);
    await q.client.release({ lease, delay: HOUR });
    assert.equal(textOf(await waiting), "second");
  });

  test("within a group priority comes before put order", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "UTUBETTL");
    await q.put("jobs", "second", { group: "g", priority: 1 });
    await q.put("jobs", "first", { group: "g", priority: 0 });
    const task = await q.take("jobs");
    assert.equal(textOf(task), "first");
    await q.client.release({ lease: task.lease });
    assert.deepEqual(await orderOf(q, "jobs"), ["first", "second"]);
  });

  test("groups are told apart byte by byte", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "UTUBE");
    const groups = ["g", "G", "g ", "\u00e9", "e\u0301", "__proto__", "constructor", "\u0000"];
    for (const group of groups) await q.put("jobs", group, { group });
    assert.deepEqual(await q.takeAllTexts("jobs"), groups);
  });
});

describe("ttl, ttr and delay", () => {
  test("a delayed task is not taken before its time, and wakes a waiting taker then", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "late", { delay: HOUR });
    assert.deepEqual(await q.takeUpTo(1, "jobs"), []);
    const from = performance.now();
    await q.put("jobs", "soon", { delay: ms(100) });
    assert.equal(textOf(await q.take("jobs", { wait: 3_600_000 })), "soon");
    assert.ok(performance.now() - from >= 99);
  });

  test("a task that nobody took ends with its ttl, which counts from put plus delay", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const put = await q.client.put({
      tube: "jobs",
      task: text("a", { delay: ms(30), ttl: ms(40) }),
    });
    assert.equal(msBetween(put.task?.createTime, put.task?.expireTime), 70);
    await q.becomes("jobs", {});
    const get = q.client.getTask({ tube: "jobs", id: put.task?.id ?? 0n });
    assert.equal(await failure(get), "NotFound TASK_NOT_FOUND");
    const { expired, done } = await q.statistics("jobs");
    assert.deepEqual([expired, done], [1n, 0n]);
    assert.deepEqual(await q.takeUpTo(1, "jobs"), []);
  });

  test("a buried task ends with its ttl, and its ttr is nothing to it", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "UTUBETTL");
    const watch = await q.watch("jobs");
    await q.put("jobs", "a", { ttl: ms(1_500), ttr: ms(1_000) });
    await q.client.bury({ lease: (await q.take("jobs")).lease });
    assert.deepEqual(await watch.changes(4), [
      "PUT READY",
      "TAKEN LEASED",
      "BURIED BURIED",
      "EXPIRED DONE",
    ]);
    watch.cancel();
  });

  test("ttl over on a leased task: it ends with its lease, unless it is acked before", async (t) => {
    const q = await start(t);
    let tasks: Task[] = [];
    // Until the takes come before the ttl is over.
    for (let turn = 1; tasks.length < 4; turn++) {
      const tube = `jobs-${turn}`;
      await q.tube(tube, "FIFOTTL");
      for (const value of ["acked", "released", "buried", "lost"]) {
        await q.put(tube, value, { ttl: ms(500), ttr: value === "lost" ? ms(1_000) : HOUR });
      }
      tasks = await q.takeUpTo(4, tube);
    }
    const tube = tasks[0]?.tube ?? "";
    const end = Math.max(...tasks.map(({ expireTime }) => atMs(expireTime)));
    await until(() => Date.now() > end, "the end of the ttl");
    const [acked = "", released = "", buried = ""] = tasks.map(({ lease }) => lease);
    const states = [
      (await q.client.ack({ lease: acked })).task?.state,
      (await q.client.release({ lease: released })).task?.state,
      (await q.client.bury({ lease: buried })).task?.state,
    ];
    assert.deepEqual(states, [TaskState.DONE, TaskState.DONE, TaskState.DONE]);
    await q.becomes(tube, {});
    const { expired, done } = await q.statistics(tube);
    assert.deepEqual([expired, done], [3n, 1n]);
  });

  test("ttr over: the task is ready again, and the old lease is lost", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "a", { ttr: ms(100) });
    const first = await q.take("jobs");
    let last = await q.take("jobs", { wait: 3_600_000 });
    assert.equal(last.id, first.id);
    assert.notEqual(last.lease, first.lease);
    assert.ok(last.fence > first.fence);
    assert.deepEqual([first.attempt, last.attempt, last.reason], [1, 2, "ttr over"]);
    // The second worker's ack wins, if it is in time, and the first one's fails.
    assert.equal(await failure(q.client.ack({ lease: first.lease })), LOST);
    while ((await q.client.batchAck({ leases: [last.lease] })).failures.length > 0) {
      last = await q.take("jobs", { wait: 3_600_000 });
    }
    assert.equal(await failure(q.client.ack({ lease: first.lease })), LOST);
  });

  test("ttr defaults to ttl, and the tube's defaults to what is not set", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", {
      defaultTtl: ms(60_000),
      defaultTtr: ms(5_000),
      defaultDelay: ms(10_000),
    });
    const ttrs = async (more: Parameters<Queue["put"]>[2]) => {
      const { task } = await q.client.put({ tube: "jobs", task: text("", more) });
      const { createTime, expireTime, readyTime } = task ?? {};
      return [
        Number(task?.ttr?.seconds ?? -1),
        expireTime && msBetween(createTime, expireTime),
        readyTime && msBetween(createTime, readyTime),
      ];
    };
    assert.deepEqual(await ttrs({}), [5, 70_000, 10_000]);
    assert.deepEqual(await ttrs({ delay: ms(0) }), [5, 60_000, undefined], "0 is 0");
    assert.deepEqual(
      await ttrs({ ttl: ms(2_000), ttr: ms(9_000), delay: ms(20_000) }),
      [9, 22_000, 20_000],
    );
    await q.client.updateTube({
      tube: { name: "jobs" },
      updateMask: { paths: ["default_ttr", "default_delay"] },
    });
    assert.deepEqual(await ttrs({}), [60, 60_000, undefined]);
    await q.client.updateTube({ tube: { name: "jobs" }, updateMask: { paths: ["default_ttl"] } });
    assert.deepEqual(await ttrs({}), [-1, undefined, undefined]);
  });

  test("a touch adds to the lease and to the ttl", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "a", { ttl: ms(10_000), ttr: ms(5_000) });
    const taken = await q.take("jobs");
    const { task } = await q.client.touch({ lease: taken.lease, extend: ms(2_500) });
    assert.equal(msBetween(taken.leaseExpireTime, task?.leaseExpireTime), 2_500);
    assert.equal(msBetween(taken.expireTime, task?.expireTime), 2_500);
    assert.equal(task?.state, TaskState.LEASED);
  });

  test("a touched lease outlives its first ttr", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "a", { ttr: ms(300) });
    for (;;) {
      const { lease, leaseExpireTime } = await q.take("jobs", { wait: 3_600_000 });
      const touched = await q.client.touch({ lease, extend: HOUR }).catch(describeError);
      // Until a touch comes in time.
      if (touched === LOST) continue;
      await until(() => Date.now() > atMs(leaseExpireTime) + 10, "the first end of the lease");
      await q.client.ack({ lease });
      return;
    }
  });

  test("a release's delay is added to the ttl; the ttr stays", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "a", { ttl: ms(10_000), ttr: ms(20_000) });
    const taken = await q.take("jobs");
    const { task } = await q.client.release({ lease: taken.lease, delay: ms(5_000) });
    assert.equal(task?.state, TaskState.DELAYED);
    assert.equal(msBetween(taken.expireTime, task.expireTime), 5_000);
    assert.equal(task.ttr?.seconds, 20n);
  });

  test("a lease without ttr and session lasts the server's default, 60 s", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a");
    const before = Date.now();
    const { leaseExpireTime } = await q.take("jobs");
    const end = atMs(leaseExpireTime);
    assert.ok(end >= before + 60_000 && end <= Date.now() + 60_000);
  });
});

describe("attempts, back-off and burial", () => {
  test("a task that failed max_attempts times is buried with the reason, whatever the delay", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", { maxAttempts: 2 });
    await q.put("jobs", "a");
    const first = await q.client.release({ lease: (await q.take("jobs")).lease, reason: "one" });
    assert.equal(first.task?.state, TaskState.READY);
    const second = await q.client.release({
      lease: (await q.take("jobs")).lease,
      reason: "two",
      delay: HOUR,
    });
    assert.equal(second.task?.state, TaskState.BURIED);
    assert.deepEqual([second.task.reason, second.task.attempt], ["two", 2]);
    assert.equal((await q.client.kickTasks({ tube: "jobs", count: 9 })).count, 1);
    const again = await q.take("jobs");
    assert.deepEqual([again.attempt, again.reason], [1, ""], "a kick starts the count again");
    assert.ok(again.fence > 2n, "but never the fence");
  });

  test("a lease lost by time counts, in an untimed tube one lost with its session does", async (t) => {
    const q = await start(t);
    await q.tube("timed", "FIFOTTL", { maxAttempts: 1, defaultTtr: ms(20) });
    await q.tube("plain", "FIFO", { maxAttempts: 1 });
    await q.put("timed", "a");
    await q.put("plain", "a");
    await q.take("timed");
    const { session } = await q.client.openSession({});
    await q.take("plain", { session: session?.id ?? "" });
    await q.client.closeSession({ session: session?.id ?? "" });
    await q.becomes("timed", { buried: 1 });
    await q.becomes("plain", { buried: 1 });
    const reasonOf = async (tube: string) =>
      (await q.client.getTask({ tube, id: 1n })).task?.reason;
    assert.deepEqual(
      [await reasonOf("timed"), await reasonOf("plain")],
      ["ttr over", "session over"],
    );
  });

  test("back-off delays a failed task, longer each time, where the release names no delay", async (t) => {
    const q = await start(t);
    const retryBackoff = { initial: ms(100_000), max: ms(350_000), multiplier: 3 };
    await q.tube("jobs", "FIFOTTL", { retryBackoff });
    await q.put("jobs", "a");
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      const from = Date.now();
      const { task } = await q.client.release({ lease: (await q.take("jobs")).lease });
      assert.equal(task?.state, TaskState.DELAYED);
      delays.push(atMs(task.readyTime) - from);
      await q.client.buryTask({ tube: "jobs", id: 1n });
      // Buried and kicked it is ready at once, with its attempts counted afresh.
      if (attempt < 3) await failTimes(q, attempt);
    }
    for (const [index, whole] of [100_000, 300_000, 350_000].entries()) {
      const delay = delays[index] ?? 0;
      assert.ok(delay >= whole / 2, `attempt ${index + 1} waits ${delay} of ${whole}`);
      assert.ok(delay <= whole + 60_000);
    }
  });

  test("a delay of 0s is a delay that was named: no back-off", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", { retryBackoff: { initial: HOUR } });
    await q.put("jobs", "a");
    const { task } = await q.client.release({ lease: (await q.take("jobs")).lease, delay: ms(0) });
    assert.equal(task?.state, TaskState.READY);
    const { failures } = await q.client.batchRelease({ leases: [(await q.take("jobs")).lease] });
    assert.deepEqual(failures, []);
    assert.deepEqual(await q.counts("jobs"), { delayed: 1 });
  });

  test("back-off works for leases that were lost by time too", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", { retryBackoff: { initial: HOUR }, defaultTtr: ms(20) });
    await q.put("jobs", "a");
    await q.take("jobs");
    await q.becomes("jobs", { delayed: 1 });
  });

  test("ReleaseAll costs the tasks nothing", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", { maxAttempts: 1, retryBackoff: { initial: HOUR } });
    await q.client.batchPut({ tube: "jobs", tasks: [text("a"), text("b"), text("c")] });
    const tasks = await q.takeUpTo(2, "jobs");
    assert.equal((await q.client.releaseAll({ tube: "jobs" })).count, 2n);
    assert.deepEqual(await q.counts("jobs"), { ready: 3 });
    for (const { lease } of tasks) assert.equal(await failure(q.client.ack({ lease })), LOST);
    assert.deepEqual(
      (await q.takeUpTo(3, "jobs")).map((task) => [textOf(task), task.attempt]),
      [
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ],
    );
  });
});

/** Brings the one task of `jobs` to so many failed attempts, buried or not, and leaves it ready. */
async function failTimes(q: Queue, times: number): Promise<void> {
  await q.client.kickTasks({ tube: "jobs", count: 1 });
  for (let attempt = 0; attempt < times; attempt++) {
    await q.client.release({ lease: (await q.take("jobs")).lease, delay: ms(0) });
  }
}

describe("bury and kick", () => {
  test("by lease, and by id of a ready or delayed task; not of a buried or leased one", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const tasks = [text("1"), text("2"), text("3", { delay: HOUR }), text("4")];
    await q.client.batchPut({ tube: "jobs", tasks });
    await q.client.bury({ lease: (await q.take("jobs")).lease, reason: "by its worker" });
    const taken = await q.take("jobs");
    const bury = (id: bigint) => q.client.buryTask({ tube: "jobs", id, reason: "by an operator" });
    assert.equal((await bury(3n)).task?.state, TaskState.BURIED);
    assert.equal((await bury(4n)).task?.reason, "by an operator");
    for (const id of [1n, 2n, 3n]) {
      assert.equal(await failure(bury(id)), "FailedPrecondition TASK_NOT_BURIABLE");
    }
    assert.equal(await failure(bury(5n)), "NotFound TASK_NOT_FOUND");
    assert.deepEqual(await q.counts("jobs"), { buried: 3, leased: 1 });
    await q.client.ack({ lease: taken.lease });
  });

  test("a kick brings back the oldest by put order, so many as asked for or as there are", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.client.batchPut({ tube: "jobs", tasks: ["1", "2", "3"].map((value) => text(value)) });
    for (const id of [3n, 1n, 2n]) await q.client.buryTask({ tube: "jobs", id });
    assert.equal((await q.client.kickTasks({ tube: "jobs", count: 2 })).count, 2);
    assert.deepEqual(await q.takeAllTexts("jobs"), ["1", "2"]);
    assert.equal((await q.client.kickTasks({ tube: "jobs", count: 4_294_967_295 })).count, 1);
    assert.equal((await q.client.kickTasks({ tube: "jobs", count: 1 })).count, 0);
    assert.equal(textOf(await q.take("jobs")), "3");
  });

  test("a kick wakes those who wait", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    for (const value of ["1", "2", "3"]) await q.put("jobs", value);
    const leases = (await q.takeUpTo(3, "jobs")).map(({ lease }) => lease);
    for (const lease of leases) await q.client.bury({ lease });
    const takers = [1, 2, 3].map(() => q.take("jobs", { wait: 3_600_000 }));
    await q.waiting("jobs", 3);
    await q.client.kickTasks({ tube: "jobs", count: 3 });
    assert.deepEqual(texts(await Promise.all(takers)), ["1", "2", "3"]);
  });

  test("a kicked delayed task is ready at once", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const id = await q.put("jobs", "a", { delay: HOUR });
    await q.client.buryTask({ tube: "jobs", id });
    await q.client.kickTasks({ tube: "jobs", count: 1 });
    assert.equal(textOf(await q.take("jobs")), "a");
  });
});

describe("leases", () => {
  test("one that is over by whatever settlement cannot be used again", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const { client } = q;
    const settle = {
      ack: (lease: string) => client.ack({ lease }),
      release: (lease: string) => client.release({ lease }),
      bury: (lease: string) => client.bury({ lease }),
      touch: (lease: string) => client.touch({ lease, extend: ms(1) }),
    };
    for (const end of ["ack", "release", "bury"] as const) {
      await q.put("jobs", end);
      const { lease, id } = await q.take("jobs");
      await settle[end](lease);
      for (const again of Object.values(settle)) assert.equal(await failure(again(lease)), LOST);
      if (end !== "ack") await client.deleteTask({ tube: "jobs", id });
    }
    for (const call of Object.values(settle)) {
      assert.equal(await failure(call("1.notalease")), LOST);
      assert.equal(await failure(call("")), "InvalidArgument INVALID_PARAMS lease");
    }
  });

  test("no two are alike, and every take of a task has a larger fence", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a");
    const leases = new Set<string>();
    let fence = 0n;
    for (let take = 0; take < 50; take++) {
      const task = await q.take("jobs");
      leases.add(task.lease);
      assert.ok(task.fence > fence);
      fence = task.fence;
      await q.client.release({ lease: task.lease });
    }
    assert.equal(leases.size, 50);
  });

  test("BatchAck and BatchRelease settle each lease alone, of any tubes", async (t) => {
    const q = await start(t);
    await q.tube("plain");
    await q.tube("timed", "FIFOTTL");
    await q.put("plain", "p");
    await q.put("timed", "t");
    const plain = (await q.take("plain")).lease;
    const timed = (await q.take("timed")).lease;
    const delayed = await q.client.batchRelease({ leases: [plain, timed, "1.x", ""], delay: HOUR });
    assert.deepEqual(
      delayed.failures.map(({ lease, reason }) => [lease, reason]),
      [
        [plain, "INVALID_PARAMS"],
        ["1.x", "LEASE_LOST"],
        ["", "INVALID_PARAMS"],
      ],
    );
    assert.deepEqual(await q.counts("timed"), { delayed: 1 });
    const acked = await q.client.batchAck({ leases: [plain, plain, timed] });
    assert.deepEqual(
      acked.failures.map(({ lease, reason }) => [lease, reason]),
      [
        [plain, "LEASE_LOST"],
        [timed, "LEASE_LOST"],
      ],
    );
    assert.deepEqual(await q.counts("plain"), {});
  });

  test("an untimed kind refuses a delay on release, and the lease is still held", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "UTUBE");
    await q.put("jobs", "a");
    const { lease } = await q.take("jobs");
    const call = q.client.release({ lease, delay: ms(0) });
    assert.equal(await failure(call), "InvalidArgument INVALID_PARAMS delay");
    await q.client.touch({ lease, extend: ms(1_000) });
    await q.client.release({ lease });
  });
});

describe("operators look and delete", () => {
  test("GetTask and ListTasks change nothing and show no lease", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a", { attributes: { k: "v" } });
    const { lease } = await q.take("jobs");
    for (const task of [
      (await q.client.getTask({ tube: "jobs", id: 1n })).task,
      (await q.client.listTasks({ tube: "jobs" })).tasks[0],
    ]) {
      assert.ok(task);
      assert.deepEqual([textOf(task), task.attributes], ["a", { k: "v" }]);
      assert.deepEqual([task.state, task.lease, task.fence > 0n], [TaskState.LEASED, "", true]);
      assert.ok(task.leaseExpireTime);
    }
    await q.client.ack({ lease });
    const gone = q.client.getTask({ tube: "jobs", id: 1n });
    assert.equal(await failure(gone), "NotFound TASK_NOT_FOUND");
  });

  test("DeleteTask removes a task in any state, and its lease is lost", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const tasks = [text("leased"), text("ready"), text("delayed", { delay: HOUR }), text("buried")];
    await q.client.batchPut({ tube: "jobs", tasks });
    const { lease } = await q.take("jobs");
    await q.client.buryTask({ tube: "jobs", id: 4n });
    for (const id of [1n, 2n, 3n, 4n]) {
      const { task } = await q.client.deleteTask({ tube: "jobs", id });
      assert.deepEqual([task?.id, task?.state], [id, TaskState.DONE]);
      const again = q.client.deleteTask({ tube: "jobs", id });
      assert.equal(await failure(again), "NotFound TASK_NOT_FOUND");
    }
    assert.equal(await failure(q.client.ack({ lease })), LOST);
    const { done, calls } = await q.statistics("jobs");
    assert.deepEqual([done, calls?.delete], [4n, 4n]);
  });
});

describe("dedup keys", () => {
  const keyed = (value: string, dedupKey: string) => text(value, { dedupKey });

  test("a second put is answered with the first task, while that is alive", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    const put = (value: string, key = "k") =>
      q.client.put({ tube: "jobs", task: keyed(value, key) });
    assert.equal((await put("a")).duplicate, false);
    const again = await put("b");
    assert.deepEqual(
      [again.duplicate, again.task?.id, again.task?.state],
      [true, 1n, TaskState.READY],
    );
    assert.equal((await put("c", "K")).duplicate, false, "keys are compared byte by byte");
    const task = await q.take("jobs");
    assert.equal(textOf(task), "a");
    assert.equal((await put("d")).task?.state, TaskState.LEASED);
    await q.client.ack({ lease: task.lease });
    const fresh = await put("e");
    assert.deepEqual([fresh.duplicate, fresh.task?.id], [false, 3n], "without a window, when done");
  });

  test("within the window a done task still keeps off a second one", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFO", { dedupWindow: HOUR });
    const put = () => q.client.put({ tube: "jobs", task: keyed("a", "k") });
    await put();
    await q.client.ack({ lease: (await q.take("jobs")).lease });
    const { duplicate, task } = await put();
    assert.equal(duplicate, true);
    assert.deepEqual([task?.id, task?.tube, task?.createTime], [1n, "jobs", undefined]);
    assert.deepEqual(await q.counts("jobs"), {});
  });

  test("the window ends, and not before its time", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFO", { dedupWindow: ms(200) });
    const put = () => q.client.put({ tube: "jobs", task: keyed("a", "k") });
    const { task } = await put();
    await q.client.deleteTask({ tube: "jobs", id: 1n });
    await until(async () => !(await put()).duplicate, "the end of the window");
    assert.ok(Date.now() >= atMs(task?.createTime) + 200);
  });

  test("within one batch too, with the places of the duplicates", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    const tasks = [keyed("1", "a"), text("2"), keyed("3", "a"), keyed("4", "b"), text("5")];
    const first = await q.client.batchPut({ tube: "jobs", tasks });
    assert.deepEqual([first.ids, first.duplicates], [[1n, 2n, 1n, 3n, 4n], [2]]);
    const second = await q.client.batchPut({ tube: "jobs", tasks });
    assert.deepEqual(
      [second.ids, second.duplicates],
      [
        [1n, 5n, 1n, 3n, 6n],
        [0, 2, 3],
      ],
    );
  });

  test("a duplicate is answered on a full tube as well", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    await q.client.put({ tube: "small", task: keyed("a", "k") });
    const again = await q.client.put({ tube: "small", task: keyed("a", "k") });
    assert.equal(again.duplicate, true);
    const batch = await q.client.batchPut({
      tube: "small",
      tasks: [keyed("a", "k"), keyed("b", "k")],
    });
    assert.deepEqual(batch.duplicates, [0, 1]);
  });

  test("a hundred puts of one key at once put one task", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    const puts = Array.from({ length: 100 }, () =>
      q.client.put({ tube: "jobs", task: keyed("a", "k") }),
    );
    const answers = await Promise.all(puts);
    assert.equal(answers.filter(({ duplicate }) => !duplicate).length, 1);
    assert.deepEqual(new Set(answers.map(({ task }) => task?.id)), new Set([1n]));
    assert.deepEqual(await q.counts("jobs"), { ready: 1 });
  });
});

test("put and take at the same time by many clients lose and double nothing", async (t) => {
  const usher = await startService(t);
  const q = Queue.of(usher);
  await q.tube("jobs");
  const seen: string[] = [];
  const worker = async () => {
    const own = Queue.of(usher);
    for (;;) {
      const tasks = await own.takeUpTo(7, "jobs", { wait: 200 });
      if (tasks.length === 0) return;
      seen.push(...texts(tasks));
      await own.client.batchAck({ leases: tasks.map(({ lease }) => lease) });
    }
  };
  const producer = async (name: number) => {
    const own = Queue.of(usher);
    for (let turn = 0; turn < 100; turn++) await own.put("jobs", `${name} ${turn}`);
  };
  await Promise.all([producer(1), producer(2), producer(3), worker(), worker(), worker()]);
  await worker();
  assert.equal(seen.length, 300);
  assert.equal(new Set(seen).size, 300);
  const own = seen.filter((value) => value.startsWith("1 ")).map((value) => Number(value.slice(2)));
  assert.equal(own.length, 100);
});
