import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Task, TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import {
  freeListens,
  startProcess,
  temporaryFolder,
  type UsherProcess,
} from "../support/process.ts";
import { describeError, failure, ms, Queue, text, textOf, texts, until } from "../support/queue.ts";

const HOUR = ms(3_600_000);
const LONG = 3_600_000;
const STOPPING = "Unavailable SHUTTING_DOWN";

/** Usher as a process of its own, which can be ended and started again on its folder. */
class Restartable {
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #listens: { grpc: string; http: string };
  #process: UsherProcess | undefined;

  private constructor(t: TestContext, folder: string, listens: { grpc: string; http: string }) {
    this.#t = t;
    this.#folder = folder;
    this.#listens = listens;
  }

  static async start(t: TestContext): Promise<Restartable> {
    const usher = new Restartable(t, temporaryFolder(t), await freeListens());
    await usher.start();
    return usher;
  }

  async start(): Promise<Queue> {
    // Whoever holds up a stop for the whole grace fails the test.
    const env = { USHER_SHUTDOWN_GRACE: "30m" };
    this.#process = await startProcess(this.#t, this.#folder, this.#listens, env);
    return this.queue();
  }

  queue(): Queue {
    return Queue.of({ grpcAddress: this.#listens.grpc, httpAddress: this.#listens.http });
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    assert.ok(this.#process);
    const code = await this.#process.end(signal);
    assert.equal(code, signal === "SIGTERM" ? 0 : "SIGKILL", this.#process.output());
  }

  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<Queue> {
    await this.end(signal);
    return this.start();
  }
}

async function allTasks(q: Queue, tube: string): Promise<Task[]> {
  return (await q.client.listTasks({ tube, pageSize: 1_000 })).tasks;
}

describe("a graceful stop, by SIGTERM", () => {
  test("answers those who wait, ends streams, and exits 0 without waiting for anyone", async (t) => {
    const usher = await Restartable.start(t);
    const q = usher.queue();
    await q.tube("jobs");
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    await q.put("small", "a");
    const { session } = await q.client.openSession({});
    const takes = [
      q.takeUpTo(1, "jobs", { wait: LONG }),
      q.takeUpTo(1, "jobs", { wait: LONG, session: session?.id ?? "" }),
    ];
    const full = { tube: "small", task: text("b"), wait: HOUR };
    const put = failure(q.client.put(full));
    const worker = q.work({ tubes: ["jobs"] });
    const silent = q.open();
    const idle = q.produce();
    idle.send({ sequence: 1n, tube: "small", tasks: [] });
    await idle.next();
    const busy = q.produce();
    busy.send({ ...full, sequence: 1n, tasks: [text("c")] });
    const draining = q.work({ tubes: ["small"] });
    await draining.take(1);
    draining.halfClose();
    const watch = await q.watch("jobs");
    await q.waiting("jobs", 3);
    await q.waiting("small", 2, "Puts");
    const ends = [worker.rest(), silent.rest(), idle.rest(), draining.rest()].map(failure);
    const answers = { takes: Promise.all(takes), ends: Promise.all(ends) };
    const stopped = usher.end("SIGTERM");
    assert.deepEqual(await answers.takes, [[], []]);
    assert.equal(await put, STOPPING);
    assert.equal((await busy.next())?.error?.reason, "SHUTTING_DOWN");
    assert.equal(await failure(busy.next()), STOPPING);
    assert.deepEqual(await answers.ends, [STOPPING, STOPPING, STOPPING, STOPPING]);
    assert.equal(await failure(watch.next()), STOPPING);
    await stopped;
  });

  test("keeps leases, with and without a session, and sessions", async (t) => {
    const usher = await Restartable.start(t);
    let q = usher.queue();
    await q.tube("jobs", "FIFOTTL");
    for (const value of ["ttr", "session", "both", "ready"]) {
      await q.put("jobs", value, value === "session" ? {} : { ttr: HOUR });
    }
    const { session } = await q.client.openSession({ ttl: HOUR });
    const id = session?.id ?? "";
    const alone = await q.take("jobs");
    const [inSession, both] = await q.takeUpTo(2, "jobs", { session: id });
    q = await usher.restart("SIGTERM");
    assert.deepEqual(await q.counts("jobs"), { leased: 3, ready: 1 });
    assert.deepEqual(
      (await allTasks(q, "jobs")).map((task) => [textOf(task), task.state, task.attempt]),
      [
        ["ttr", TaskState.LEASED, 1],
        ["session", TaskState.LEASED, 1],
        ["both", TaskState.LEASED, 1],
        ["ready", TaskState.READY, 0],
      ],
    );
    await q.client.renewSession({ session: id });
    await q.client.touch({ lease: alone.lease, extend: ms(1_000) });
    await q.client.ack({ lease: alone.lease });
    await q.client.release({ lease: both?.lease ?? "", reason: "after the restart" });
    assert.deepEqual(await q.counts("jobs"), { leased: 1, ready: 2 });
    await q.client.closeSession({ session: id });
    await q.becomes("jobs", { ready: 3 });
    const gone = q.client.ack({ lease: inSession?.lease ?? "" });
    assert.equal(await failure(gone), "FailedPrecondition LEASE_LOST");
    const next = await q.take("jobs");
    assert.equal(textOf(next), "session");
    assert.deepEqual([next.attempt, next.fence > alone.fence], [2, true]);
    // A second restart brings back nothing that ended since.
    q = await usher.restart("SIGTERM");
    assert.deepEqual(await q.counts("jobs"), { leased: 1, ready: 2 });
    await q.client.ack({ lease: next.lease });
  });

  test("a session whose time goes by meanwhile is over, and its tasks are ready", async (t) => {
    const usher = await Restartable.start(t);
    let q = usher.queue();
    await q.tube("jobs");
    await q.put("jobs", "a");
    const { session } = await q.client.openSession({ ttl: ms(1_000) });
    await q.take("jobs", { session: session?.id ?? "" });
    await usher.end("SIGTERM");
    await sleep(1_100);
    q = await usher.start();
    const renewed = q.client.renewSession({ session: session?.id ?? "" });
    assert.equal(await failure(renewed), "NotFound SESSION_NOT_FOUND");
    await q.becomes("jobs", { ready: 1 });
  });

  test("takes nothing for a worker's failure: its stream's tasks go back with their attempt", async (t) => {
    const usher = await Restartable.start(t);
    let q = usher.queue();
    await q.tube("jobs", "FIFO", { maxAttempts: 1 });
    await q.client.batchPut({ tube: "jobs", tasks: [text("a"), text("b"), text("c"), text("d")] });
    const { session } = await q.client.openSession({ ttl: HOUR });
    const worker = q.work({ tubes: ["jobs"], prefetch: 2 });
    await worker.take(2);
    const kept = q.work({ tubes: ["jobs"], prefetch: 2, session: session?.id ?? "" });
    const [c, d] = await kept.take(2);
    const ends = [failure(worker.rest()), failure(kept.rest())];
    const restarted = usher.restart("SIGTERM");
    assert.deepEqual(await Promise.all(ends), [STOPPING, STOPPING]);
    q = await restarted;
    assert.deepEqual(await q.counts("jobs"), { ready: 2, leased: 2 });
    assert.deepEqual(
      (await q.takeUpTo(9, "jobs")).map((task) => [textOf(task), task.attempt]),
      [
        ["a", 1],
        ["b", 1],
      ],
    );
    const { failures } = await q.client.batchAck({ leases: [c?.lease ?? "", d?.lease ?? ""] });
    assert.deepEqual(failures, []);
  });

  test("answers every settlement and put that it carried out", async (t) => {
    const usher = await Restartable.start(t);
    let q = usher.queue();
    await q.tube("jobs");
    await q.tube("made");
    const tasks = Array.from({ length: 2_000 }, (_, index) => text(String(index)));
    await q.client.batchPut({ tube: "jobs", tasks });
    const worker = q.work({ tubes: ["jobs"], prefetch: 2_000 });
    const taken = await worker.take(2_000);
    const producer = q.produce();
    const acked = new Set<bigint>();
    const put = new Set<bigint>();
    const hear = async (next: () => Promise<bigint | undefined>, heard: Set<bigint>) => {
      for (;;) {
        const sequence = await next();
        if (sequence !== undefined) heard.add(sequence);
      }
    };
    const hearing = Promise.allSettled([
      hear(async () => (await worker.settled()).sequence, acked),
      hear(async () => {
        const answer = await producer.next();
        assert.ok(answer);
        // Told in so many words that it was not put.
        return answer.error === undefined ? answer.sequence : undefined;
      }, put),
    ]);
    for (const [index, { lease }] of taken.entries()) {
      const sequence = BigInt(index + 1);
      worker.settle({ sequence, acks: [lease] });
      producer.send({ sequence, tube: "made", tasks: [text(String(sequence))] });
      if (index === 500) await until(() => acked.size > 100 && put.size > 100, "some answers");
      if (index === 1_000) break;
    }
    // Neither stream is half-closed, and there is more to send: that does not hold up the stop.
    const restarted = usher.restart("SIGTERM");
    for (const end of await hearing) {
      assert.equal(end.status === "rejected" && describeError(end.reason), STOPPING);
    }
    q = await restarted;
    const left = new Set((await allPages(q, "jobs")).map(textOf));
    for (const sequence of acked)
      assert.ok(!left.has(String(sequence - 1n)), "acked and still there");
    const made = new Set((await allPages(q, "made")).map(textOf));
    for (const sequence of put) assert.ok(made.has(String(sequence)), "put and not there");
  });
});

async function allPages(q: Queue, tube: string): Promise<Task[]> {
  const tasks: Task[] = [];
  let pageToken = "";
  do {
    const page = await q.client.listTasks({ tube, pageSize: 1_000, pageToken });
    tasks.push(...page.tasks);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return tasks;
}

describe("a kill, by SIGKILL", () => {
  test("loses every lease and session, and no task; the fence grows", async (t) => {
    const usher = await Restartable.start(t);
    let q = usher.queue();
    await q.tube("jobs", "FIFOTTL");
    await q.client.batchPut({ tube: "jobs", tasks: ["a", "b", "c"].map((value) => text(value)) });
    const { session } = await q.client.openSession({ ttl: HOUR });
    const [first, second] = await q.takeUpTo(2, "jobs", { session: session?.id ?? "" });
    q = await usher.restart("SIGKILL");
    assert.deepEqual(await q.counts("jobs"), { ready: 3 });
    for (const task of [first, second]) {
      const ack = q.client.ack({ lease: task?.lease ?? "" });
      assert.equal(await failure(ack), "FailedPrecondition LEASE_LOST");
    }
    const renewed = q.client.renewSession({ session: session?.id ?? "" });
    assert.equal(await failure(renewed), "NotFound SESSION_NOT_FOUND");
    let fence = second?.fence ?? 0n;
    for (let kill = 0; kill < 3; kill++) {
      const task = await q.take("jobs");
      assert.equal(textOf(task), "a");
      assert.ok(task.fence > fence, `${task.fence} comes after ${fence}`);
      fence = task.fence;
      q = await usher.restart("SIGKILL");
    }
    assert.deepEqual(await q.takeAllTexts("jobs"), ["a", "b", "c"]);
  });
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  describe(`what is durable is there after ${signal}`, () => {
    test("tasks in every state with all that is known of them", async (t) => {
      const usher = await Restartable.start(t);
      let q = usher.queue();
      await q.tube("jobs", "UTUBETTL");
      const full = { group: "g", dedupKey: "k", attributes: { a: "b" }, ttl: HOUR, ttr: HOUR };
      await q.put("jobs", "full", { ...full, priority: 7 });
      await q.client.release({ lease: (await q.take("jobs")).lease, reason: "why" });
      await q.put("jobs", "delayed", { delay: HOUR });
      await q.put("jobs", "buried");
      await q.client.buryTask({ tube: "jobs", id: 3n, reason: "bad" });
      await q.put("jobs", "done");
      await q.client.ack({ lease: (await q.take("jobs")).lease });
      const before = await allTasks(q, "jobs");
      assert.equal(before.length, 3);
      q = await usher.restart(signal);
      assert.deepEqual(await allTasks(q, "jobs"), before);
      assert.equal(await q.put("jobs", "new"), signal === "SIGTERM" ? 5n : await lastId(q));
      assert.deepEqual(texts(await q.takeUpTo(9, "jobs")), ["new", "full"]);
      const { calls, done } = await q.statistics("jobs");
      assert.deepEqual(
        [calls?.put, calls?.ack, done],
        [1n, 0n, 0n],
        "calls are counted since start",
      );
    });

    test("tubes, their settings and pauses", async (t) => {
      const usher = await Restartable.start(t);
      let q = usher.queue();
      await q.tube("a", "LIMFIFOTTL", {
        capacity: 5n,
        defaultPriority: 3,
        defaultTtl: HOUR,
        defaultTtr: ms(30_000),
        defaultDelay: ms(1),
        maxAttempts: 4,
        retryBackoff: { initial: ms(1_000), max: ms(2_000), multiplier: 1.5 },
        dedupWindow: HOUR,
      });
      await q.client.updateTube({ tube: { name: "a", capacity: 6n } });
      await q.client.pauseTube({ tube: "a" });
      await q.tube("b");
      await q.client.pauseTube({ tube: "b", duration: HOUR });
      await q.tube("c");
      await q.client.pauseTube({ tube: "c", duration: ms(10) });
      await q.tube("d");
      await q.client.deleteTube({ tube: "d" });
      const { tubes } = await q.client.listTubes({});
      const paused = tubes.map((tube) => ({ ...tube, paused: tube.name !== "c" && tube.paused }));
      q = await usher.restart(signal);
      await until(async () => !(await q.client.getTube({ tube: "c" })).tube?.paused, "a resume");
      const after = (await q.client.listTubes({})).tubes;
      assert.deepEqual(after[0], paused[0]);
      assert.deepEqual(after[1], paused[1]);
      assert.deepEqual(
        after.map(({ name, paused }) => [name, paused]),
        [
          ["a", true],
          ["b", true],
          ["c", false],
        ],
      );
    });

    test("dedup windows of tasks that are done", async (t) => {
      const usher = await Restartable.start(t);
      let q = usher.queue();
      await q.tube("jobs", "FIFO", { dedupWindow: HOUR });
      const id = await q.put("jobs", "a", { dedupKey: "k" });
      await q.client.ack({ lease: (await q.take("jobs")).lease });
      q = await usher.restart(signal);
      const again = await q.client.put({ tube: "jobs", task: text("b", { dedupKey: "k" }) });
      assert.deepEqual([again.duplicate, again.task?.id], [true, id]);
    });

    test("ids of tasks that are gone are never used again, of temporary tubes neither", async (t) => {
      const usher = await Restartable.start(t);
      let q = usher.queue();
      await q.tube("jobs");
      await q.tube("temporary", "FIFO", { temporary: true });
      const seen = new Map([
        ["jobs", 0n],
        ["temporary", 0n],
      ]);
      for (let turn = 0; turn < 3; turn++) {
        for (const [tube, last] of seen) {
          assert.deepEqual(await q.counts(tube), {}, "a temporary tube is empty after a restart");
          const id = await q.put(tube, "a");
          assert.ok(id > last, `${tube}: ${id} comes after ${last}`);
          seen.set(tube, id);
          if (tube === "jobs") await q.client.deleteTask({ tube, id });
        }
        q = await usher.restart(signal);
      }
    });
  });
}

/** The id of the last task of `jobs`. */
async function lastId(q: Queue): Promise<bigint> {
  return (await allTasks(q, "jobs")).at(-1)?.id ?? 0n;
}
