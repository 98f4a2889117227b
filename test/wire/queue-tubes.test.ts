import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { atMs, failure, ms, Queue, text, textOf, until } from "../support/queue.ts";
import { startService } from "../support/service.ts";

async function start(t: TestContext): Promise<Queue> {
  return Queue.of(await startService(t));
}

const kinds = ["FIFO", "FIFOTTL", "LIMFIFOTTL", "UTUBE", "UTUBETTL"] as const;
const capacityOf = (kind: string) => (kind === "LIMFIFOTTL" ? { capacity: 10n } : {});

describe("tubes are made", () => {
  test("with if_not_exists as often as one likes, and what is there stays as it is", async (t) => {
    const { client } = await start(t);
    for (const kind of kinds) {
      const tube = { name: kind, kind: TubeKind[kind], maxAttempts: 3, ...capacityOf(kind) };
      const first = await client.createTube({ tube, ifNotExists: true });
      const again = { ...tube, maxAttempts: 9, temporary: true };
      assert.deepEqual(await client.createTube({ tube: again, ifNotExists: true }), first);
      assert.equal(await failure(client.createTube({ tube })), "AlreadyExists TUBE_ALREADY_EXISTS");
      const other = kind === "FIFO" ? TubeKind.UTUBE : TubeKind.FIFO;
      const another = client.createTube({ tube: { name: kind, kind: other }, ifNotExists: true });
      assert.equal(await failure(another), "AlreadyExists TUBE_ALREADY_EXISTS");
    }
  });

  test("a hundred times at once under one name: once", async (t) => {
    const { client } = await start(t);
    const tube = { name: "jobs", kind: TubeKind.FIFO };
    const made = await Promise.allSettled(
      Array.from({ length: 100 }, () => client.createTube({ tube })),
    );
    assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
  });

  test("with names of 1 to 64 characters, letter case told apart", async (t) => {
    const q = await start(t);
    for (const name of ["a", "A", "x".repeat(64), "_.-", "..", "__proto__"]) {
      await q.tube(name);
      assert.equal(await q.put(name, ""), 1n);
    }
    const { tubes } = await q.client.listTubes({});
    assert.deepEqual(
      tubes.map(({ name }) => name),
      ["..", "A", "__proto__", "_.-", "a", "x".repeat(64)].sort(),
    );
  });

  test("a task that asks for what the kind lacks is refused, naming the field", async (t) => {
    const q = await start(t);
    const timed = { priority: 0, delay: ms(0), ttl: ms(1), ttr: ms(1) };
    const has = { FIFOTTL: timed, LIMFIFOTTL: timed, UTUBETTL: timed };
    for (const kind of kinds) {
      await q.tube(kind, kind, capacityOf(kind));
      for (const [field, value] of Object.entries({ ...timed, group: "g" })) {
        const call = q.client.put({ tube: kind, task: text("", { [field]: value }) });
        const grouped = kind.startsWith("UTUBE");
        if (field === "group" ? grouped : kind in has) await call;
        else assert.equal(await failure(call), `InvalidArgument INVALID_PARAMS task.${field}`);
      }
    }
  });
});

describe("tubes are changed", () => {
  test("by field mask: what it names and nothing else, with what is not set going back", async (t) => {
    const { client } = await start(t);
    const settings = {
      defaultPriority: 7,
      defaultTtl: ms(60_000),
      maxAttempts: 3,
      dedupWindow: ms(1_000),
    };
    const tube = { name: "jobs", kind: TubeKind.FIFOTTL, ...settings };
    await client.createTube({ tube });
    const changed = await client.updateTube({
      tube: { name: "jobs", defaultPriority: 1, maxAttempts: 9 },
      updateMask: { paths: ["default_priority", "default_ttl"] },
    });
    assert.equal(changed.tube?.defaultPriority, 1);
    assert.equal(changed.tube.defaultTtl, undefined);
    assert.equal(changed.tube.maxAttempts, 3);
    assert.equal(changed.tube.dedupWindow?.seconds, 1n);
    assert.deepEqual((await client.getTube({ tube: "jobs" })).tube, changed.tube);
    const whatIsSet = await client.updateTube({ tube: { name: "jobs", maxAttempts: 5 } });
    assert.deepEqual(whatIsSet.tube, { ...changed.tube, maxAttempts: 5 });
  });

  test("never their kind, their name or what the server sets", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    for (const path of [
      "kind",
      "name",
      "temporary",
      "paused",
      "create_time",
      "retry_backoff.max",
    ]) {
      const call = q.client.updateTube({ tube: { name: "jobs" }, updateMask: { paths: [path] } });
      assert.equal(await failure(call), "InvalidArgument INVALID_PARAMS update_mask");
    }
    const other = q.client.updateTube({ tube: { name: "jobs", kind: TubeKind.FIFO } });
    assert.equal(await failure(other), "InvalidArgument INVALID_PARAMS tube.kind");
    const none = q.client.updateTube({ tube: { name: "nope", maxAttempts: 1 } });
    assert.equal(await failure(none), "NotFound TUBE_NOT_FOUND");
  });

  test("tasks keep what they were put with", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL", { defaultPriority: 5, defaultTtr: ms(5_000) });
    await q.put("jobs", "old");
    await q.client.updateTube({
      tube: { name: "jobs", defaultPriority: 1, defaultTtr: ms(1_000) },
    });
    await q.put("jobs", "new");
    const tasks = await q.takeUpTo(2, "jobs");
    assert.deepEqual(
      tasks.map((task) => [textOf(task), task.priority, Number(task.ttr?.seconds)]),
      [
        ["new", 1, 1],
        ["old", 5, 5],
      ],
    );
  });

  test("a capacity below what the tube holds removes nothing", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 3n });
    await q.client.batchPut({ tube: "small", tasks: [text("1"), text("2"), text("3")] });
    await q.client.updateTube({ tube: { name: "small", capacity: 1n } });
    assert.deepEqual(await q.counts("small"), { ready: 3 });
    await q.client.ack({ lease: (await q.take("small")).lease });
    const put = q.client.put({ tube: "small", task: text("4") });
    assert.equal(await failure(put), "ResourceExhausted TUBE_FULL");
  });

  test("capacity counts every live task: ready, leased, delayed and buried", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 4n });
    for (const value of ["1", "2", "3"]) await q.put("small", value);
    await q.put("small", "4", { delay: ms(3_600_000) });
    const [first, second] = await q.takeUpTo(2, "small");
    await q.client.bury({ lease: first?.lease ?? "" });
    assert.deepEqual(await q.counts("small"), { ready: 1, leased: 1, delayed: 1, buried: 1 });
    const put = () => q.client.put({ tube: "small", task: text("5") });
    assert.equal(await failure(put()), "ResourceExhausted TUBE_FULL");
    await q.client.ack({ lease: second?.lease ?? "" });
    await put();
  });
});

describe("tubes are deleted", () => {
  test("not while tasks are leased, unless by force; then their leases are lost", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a");
    const { lease } = await q.take("jobs");
    const call = q.client.deleteTube({ tube: "jobs" });
    assert.equal(await failure(call), "FailedPrecondition TUBE_IN_USE");
    assert.deepEqual(await q.counts("jobs"), { leased: 1 });
    await q.client.deleteTube({ tube: "jobs", force: true });
    assert.equal(await failure(q.client.ack({ lease })), "FailedPrecondition LEASE_LOST");
    for (const again of [
      q.client.deleteTube({ tube: "jobs" }),
      q.client.getTube({ tube: "jobs" }),
      q.client.put({ tube: "jobs", task: text("") }),
      q.client.take({ tube: "jobs" }),
      q.client.getStatistics({ tube: "jobs" }),
    ]) {
      assert.equal(await failure(again), "NotFound TUBE_NOT_FOUND");
    }
  });

  test("made again they are others: ids start at 1, and old leases never match", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFO", { dedupWindow: ms(3_600_000) });
    await q.put("jobs", "a", { dedupKey: "k" });
    const { lease, fence } = await q.take("jobs");
    await q.client.deleteTube({ tube: "jobs", force: true });
    await q.tube("jobs", "FIFOTTL");
    assert.equal(await q.put("jobs", "b", { dedupKey: "k" }), 1n);
    const task = await q.take("jobs");
    assert.equal(textOf(task), "b");
    assert.ok(task.fence > fence);
    assert.equal(await failure(q.client.ack({ lease })), "FailedPrecondition LEASE_LOST");
    await q.client.ack({ lease: task.lease });
  });

  test("with buried and delayed tasks, and nothing is left of those", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    // Long enough for a slow machine to bury the task before its ttl is over.
    await q.put("jobs", "a", { ttr: ms(20), ttl: ms(1_000) });
    await q.client.buryTask({ tube: "jobs", id: 1n });
    await q.put("jobs", "b", { delay: ms(20) });
    await q.client.deleteTube({ tube: "jobs" });
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "c", { ttl: ms(1_100) });
    await q.becomes("jobs", {});
    const { expired, calls } = await q.statistics("jobs");
    assert.deepEqual([expired, calls?.put], [1n, 1n]);
  });
});

describe("tubes are emptied", () => {
  test("of tasks in every state, leased ones too; ids go on", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    for (const value of ["1", "2", "3"]) await q.put("jobs", value);
    await q.put("jobs", "4", { delay: ms(3_600_000) });
    const { lease } = await q.take("jobs");
    await q.client.buryTask({ tube: "jobs", id: 2n });
    assert.equal((await q.client.truncateTube({ tube: "jobs" })).count, 4n);
    assert.deepEqual(await q.counts("jobs"), {});
    assert.equal(await failure(q.client.ack({ lease })), "FailedPrecondition LEASE_LOST");
    assert.equal(await q.put("jobs", "5"), 5n);
  });

  test("which lets waiting puts in", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    await q.put("small", "1");
    const waiting = q.client.put({ tube: "small", task: text("2"), wait: ms(3_600_000) });
    await q.waiting("small", 1, "Puts");
    await q.client.truncateTube({ tube: "small" });
    assert.equal((await waiting).task?.id, 2n);
  });
});

describe("a pause", () => {
  test("stops takes and nothing else; a resume serves those who wait at once", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    await q.put("jobs", "a");
    const held = await q.take("jobs");
    const { tube } = await q.client.pauseTube({ tube: "jobs" });
    assert.deepEqual([tube?.paused, tube?.pausedUntil], [true, undefined]);
    await q.put("jobs", "b");
    await q.put("jobs", "c", { ttl: ms(20) });
    await q.put("jobs", "d", { delay: ms(20) });
    await q.client.ack({ lease: held.lease });
    assert.deepEqual(await q.takeUpTo(1, "jobs"), []);
    const waiting = [q.take("jobs", { wait: 3_600_000 }), q.take("jobs", { wait: 3_600_000 })];
    await q.waiting("jobs", 2);
    const worker = q.work({ tubes: ["jobs"], prefetch: 5 });
    await q.waiting("jobs", 3);
    await q.becomes("jobs", { ready: 2 });
    const resumed = await q.client.resumeTube({ tube: "jobs" });
    assert.equal(resumed.tube?.paused, false);
    assert.deepEqual((await Promise.all(waiting)).map(textOf), ["b", "d"]);
    await q.put("jobs", "e");
    assert.deepEqual((await worker.tasks()).map(textOf), ["e"]);
    worker.cancel();
    await q.client.resumeTube({ tube: "jobs" });
  });

  test("with a duration ends by itself, and not before", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a");
    const { tube } = await q.client.pauseTube({ tube: "jobs", duration: ms(100) });
    assert.equal(tube?.paused, true);
    await q.take("jobs", { wait: 3_600_000 });
    assert.ok(Date.now() >= atMs(tube.pausedUntil));
    assert.equal((await q.client.getTube({ tube: "jobs" })).tube?.paused, false);
  });

  test("is replaced by the next", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.put("jobs", "a");
    await q.client.pauseTube({ tube: "jobs" });
    const { tube } = await q.client.pauseTube({ tube: "jobs", duration: ms(50) });
    assert.ok(tube?.pausedUntil);
    assert.equal(textOf(await q.take("jobs", { wait: 3_600_000 })), "a");
    await q.client.pauseTube({ tube: "jobs", duration: ms(50) });
    const { tube: forever } = await q.client.pauseTube({ tube: "jobs" });
    assert.equal(forever?.pausedUntil, undefined);
    await until(() => Date.now() > atMs(tube.pausedUntil) + 100, "the end of the first pause");
    assert.equal((await q.client.getTube({ tube: "jobs" })).tube?.paused, true);
  });
});

describe("statistics", () => {
  for (const kind of kinds) {
    test(`of ${kind} count tasks, calls and ends`, async (t) => {
      const q = await start(t);
      await q.tube("jobs", kind, capacityOf(kind));
      const { client } = q;
      for (let id = 1; id <= 5; id++) await q.put("jobs", String(id));
      await client.deleteTask({ tube: "jobs", id: 5n });
      await client.release({ lease: (await q.take("jobs")).lease });
      await client.ack({ lease: (await q.take("jobs")).lease });
      await client.buryTask({ tube: "jobs", id: 2n });
      await client.buryTask({ tube: "jobs", id: 3n });
      await client.kickTasks({ tube: "jobs", count: 1 });
      const { lease } = await q.take("jobs");
      await client.touch({ lease, extend: ms(1) });
      const { tasks, calls, done, expired } = await q.statistics("jobs");
      const plain = (counts: object) =>
        Object.fromEntries(Object.entries(counts).filter(([name]) => name !== "$typeName"));
      assert.deepEqual(plain(tasks ?? {}), {
        ready: 1n,
        leased: 1n,
        buried: 1n,
        delayed: 0n,
        total: 3n,
      });
      assert.deepEqual(plain(calls ?? {}), {
        put: 5n,
        take: 3n,
        ack: 1n,
        release: 1n,
        bury: 2n,
        kick: 1n,
        touch: 1n,
        delete: 1n,
      });
      assert.deepEqual([done, expired], [2n, 0n]);
    });
  }

  test("count a batch as one call of its verb, on streams too, for each tube it is about", async (t) => {
    const q = await start(t);
    await q.tube("one");
    await q.tube("two");
    const tasks = [text("a"), text("b"), text("c")];
    await q.client.batchPut({ tube: "one", tasks });
    await q.client.batchPut({ tube: "two", tasks });
    const one = await q.takeUpTo(3, "one");
    const two = await q.takeUpTo(3, "two");
    // Leases of both in turn.
    const leases = one.flatMap(({ lease }, index) => [lease, two[index]?.lease ?? ""]);
    await q.client.batchRelease({ leases });
    const worker = q.work({ tubes: ["one", "two"] });
    const pushed = await worker.take(6);
    const inTurn = pushed.toSorted((a, b) => Number(a.id - b.id)).map(({ lease }) => lease);
    worker.settle({ sequence: 1n, acks: inTurn });
    await worker.settled();
    worker.cancel();
    for (const tube of ["one", "two"]) {
      const { calls, done } = await q.statistics(tube);
      assert.deepEqual([calls?.put, calls?.release, calls?.ack, done], [1n, 1n, 1n, 3n], tube);
    }
  });

  test("show the age of the oldest ready task, and who waits", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    assert.equal((await q.statistics("jobs")).oldestReadyAge, undefined);
    const { task } = await q.client.put({ tube: "jobs", task: text("old") });
    await q.put("jobs", "new");
    await until(() => Date.now() >= atMs(task?.createTime) + 50, "50 ms");
    const age = atMs((await q.statistics("jobs")).oldestReadyAge);
    assert.ok(age >= 50);
    await q.take("jobs");
    const younger = atMs((await q.statistics("jobs")).oldestReadyAge);
    await q.client.releaseAll({ tube: "jobs" });
    assert.ok(atMs((await q.statistics("jobs")).oldestReadyAge) >= Math.max(age, younger));
    await q.takeUpTo(2, "jobs");
    assert.equal((await q.statistics("jobs")).oldestReadyAge, undefined);
  });

  test("of all tubes by name, or of one", async (t) => {
    const q = await start(t);
    for (const name of ["b", "a", "c"]) await q.tube(name);
    const { tubes } = await q.client.getStatistics({});
    assert.deepEqual(
      tubes.map(({ tube }) => tube),
      ["a", "b", "c"],
    );
    assert.equal(await failure(q.statistics("nope")), "NotFound TUBE_NOT_FOUND");
  });
});

describe("pages", () => {
  test("of statistics: each tube on exactly one page, by name, over all shards", async (t) => {
    const q = await start(t);
    const names = Array.from({ length: 25 }, (_, nth) => `s-${String(nth).padStart(2, "0")}`);
    for (const name of names.toReversed()) await q.tube(name);
    const seen: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await q.client.getStatistics({ pageSize: 10, pageToken });
      seen.push(...page.tubes.map(({ tube }) => tube));
      if (page.nextPageToken === "") break;
      assert.equal(page.tubes.length, 10);
      pageToken = page.nextPageToken;
    }
    assert.deepEqual(seen, names);
    const wrong = q.client.getStatistics({ pageSize: 1_001 });
    assert.equal(await failure(wrong), "InvalidArgument INVALID_PARAMS page_size");
  });

  test("of tubes: each on exactly one page, by name", async (t) => {
    const q = await start(t);
    const names = Array.from(
      { length: 25 },
      (_, index) => `tube-${String(index).padStart(2, "0")}`,
    );
    for (const name of names.toReversed()) await q.tube(name);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await q.client.listTubes({ pageSize: 10, pageToken });
      assert.ok(page.tubes.length <= 10);
      seen.push(...page.tubes.map(({ name }) => name));
      pageToken = page.nextPageToken;
      // What goes meanwhile takes nothing else with it.
      if (seen.length === 10) await q.client.deleteTube({ tube: "tube-05" });
    } while (pageToken !== "");
    assert.deepEqual(seen, names);
    assert.equal((await q.client.listTubes({ pageSize: 24 })).nextPageToken, "");
  });

  test("of tasks skip nothing and repeat nothing, whatever happens meanwhile", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    const tasks = Array.from({ length: 250 }, (_, index) => text(String(index + 1)));
    await q.client.batchPut({ tube: "jobs", tasks });
    const seen: bigint[] = [];
    let pageToken = "";
    for (let page = 0; page === 0 || pageToken !== ""; page++) {
      const answer = await q.client.listTasks({ tube: "jobs", pageSize: 20, pageToken });
      seen.push(...answer.tasks.map(({ id }) => id));
      pageToken = answer.nextPageToken;
      // Earlier tasks go, later ones change their state, new ones come.
      for (const id of answer.tasks.slice(0, 5).map(({ id }) => id)) {
        await q.client.deleteTask({ tube: "jobs", id });
      }
      if (page < 5) await q.put("jobs", "new");
      await q.client.release({ lease: (await q.take("jobs")).lease });
    }
    assert.deepEqual(
      seen,
      seen.map((_, index) => BigInt(index + 1)),
    );
    assert.equal(seen.length, 255);
  });

  test("of tasks of one state", async (t) => {
    const q = await start(t);
    await q.tube("jobs", "FIFOTTL");
    for (let id = 1n; id <= 10n; id++) await q.put("jobs", String(id));
    for (const id of [2n, 4n, 6n, 8n, 10n]) await q.client.buryTask({ tube: "jobs", id });
    await q.takeUpTo(2, "jobs");
    await q.put("jobs", "late", { delay: ms(3_600_000) });
    const idsOf = async (state: TaskState) => {
      const seen: bigint[] = [];
      let pageToken = "";
      do {
        const page = await q.client.listTasks({ tube: "jobs", state, pageSize: 2, pageToken });
        seen.push(...page.tasks.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return seen;
    };
    assert.deepEqual(await idsOf(TaskState.BURIED), [2n, 4n, 6n, 8n, 10n]);
    assert.deepEqual(await idsOf(TaskState.LEASED), [1n, 3n]);
    assert.deepEqual(await idsOf(TaskState.READY), [5n, 7n, 9n]);
    assert.deepEqual(await idsOf(TaskState.DELAYED), [11n]);
  });

  test("a token of another list is refused", async (t) => {
    const q = await start(t);
    await q.tube("a");
    await q.tube("b");
    await q.put("a", "1");
    await q.put("a", "2");
    const tubes = (await q.client.listTubes({ pageSize: 1 })).nextPageToken;
    const tasks = (await q.client.listTasks({ tube: "a", pageSize: 1 })).nextPageToken;
    const bad = "InvalidArgument INVALID_PARAMS page_token";
    assert.equal(await failure(q.client.listTubes({ pageToken: tasks })), bad);
    assert.equal(await failure(q.client.listTasks({ tube: "a", pageToken: tubes })), bad);
    for (const value of ["-1", "1.5", "1e400", "null", "{}", '"a"']) {
      const pageToken = Buffer.from(value).toString("base64url");
      assert.equal(await failure(q.client.listTasks({ tube: "a", pageToken })), bad, value);
    }
  });

  test("no page size is 100, and 1,000 is the most", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    await q.client.batchPut({ tube: "jobs", tasks: Array(1_001).fill(text("")) });
    assert.equal((await q.client.listTasks({ tube: "jobs" })).tasks.length, 100);
    const most = await q.client.listTasks({ tube: "jobs", pageSize: 1_000 });
    assert.equal(most.tasks.length, 1_000);
    assert.notEqual(most.nextPageToken, "");
  });
});
