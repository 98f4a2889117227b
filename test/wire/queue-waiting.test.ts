import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { failure, incompressible, ms, Queue, text, textOf, until } from "../support/queue.ts";
import { type Relay, startRelay, through } from "../support/relay.ts";
import { addressFor, startService, type Way, ways } from "../support/service.ts";

async function start(t: TestContext, way?: Way): Promise<Queue> {
  const q = Queue.of(await startService(t), way);
  await q.tube("jobs");
  return q;
}

/** A take that waits until it is served. */
const LONG = 3_600_000;

for (const way of ways) {
  describe(`waiting over ${way}`, () => {
    test("a take waits for a task that is put later", async (t) => {
      const q = await start(t, way);
      const taken = q.take("jobs", { wait: LONG });
      await q.waiting("jobs", 1);
      await q.put("jobs", "late");
      const task = await taken;
      assert.equal(textOf(task), "late");
      assert.equal(task.state, TaskState.LEASED);
      await q.waiting("jobs", 0);
    });

    test("a take that waited in vain is answered empty, and not before its time", async (t) => {
      const q = await start(t, way);
      const from = performance.now();
      assert.deepEqual(await q.takeUpTo(1, "jobs", { wait: 100 }), []);
      assert.ok(performance.now() - from >= 99);
      await q.put("jobs", "next");
      assert.deepEqual(await q.takeAllTexts("jobs"), ["next"]);
    });

    test("a cancelled take takes nothing: a task put right after goes to the next", async (t) => {
      const q = await start(t, way);
      const gone = new AbortController();
      const cancelled = q.client.take({ tube: "jobs", wait: ms(LONG) }, { signal: gone.signal });
      await q.waiting("jobs", 1);
      const next = q.take("jobs", { wait: LONG });
      await q.waiting("jobs", 2);
      gone.abort();
      assert.equal(await failure(cancelled), "Canceled");
      // Over HTTP/1.1 each call has a connection of its own, and a put can be faster than a cancel.
      if (way === "gRPC-Web" || way === "Connect over HTTP/1.1") await q.waiting("jobs", 1);
      await q.put("jobs", "a");
      assert.equal(textOf(await next), "a");
      assert.deepEqual(await q.counts("jobs"), { leased: 1 });
    });

    test("a take whose deadline is over takes nothing", async (t) => {
      const q = await start(t, way);
      const late = q.client.take({ tube: "jobs", wait: ms(LONG) }, { timeoutMs: 50 });
      assert.equal(await failure(late), "DeadlineExceeded");
      await q.waiting("jobs", 0);
      await q.put("jobs", "a");
      const task = await q.take("jobs");
      assert.equal(textOf(task), "a");
      assert.equal(task.attempt, 1);
    });

    test("a put waits for room, and fails when there is none in time", async (t) => {
      const q = await start(t, way);
      await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
      await q.put("small", "first");
      const full = { tube: "small", task: text("too much") };
      assert.equal(await failure(q.client.put(full)), "ResourceExhausted TUBE_FULL");
      const from = performance.now();
      const inVain = q.client.put({ ...full, wait: ms(100) });
      assert.equal(await failure(inVain), "ResourceExhausted TUBE_FULL");
      assert.ok(performance.now() - from >= 99);
      const waiting = q.client.put({ tube: "small", task: text("second"), wait: ms(LONG) });
      await q.waiting("small", 1, "Puts");
      await q.client.ack({ lease: (await q.take("small")).lease });
      assert.equal((await waiting).task?.state, TaskState.READY);
      assert.deepEqual(await q.takeAllTexts("small"), ["second"]);
    });

    test("a put that is cancelled while it waits puts nothing", async (t) => {
      const q = await start(t, way);
      await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
      await q.put("small", "first");
      const gone = new AbortController();
      const task = text("withdrawn");
      const request = { tube: "small", task, wait: ms(LONG) };
      const cancelled = q.client.put(request, { signal: gone.signal });
      await q.waiting("small", 1, "Puts");
      const late = q.client.put(request, { timeoutMs: 50 });
      assert.equal(await failure(late), "DeadlineExceeded");
      gone.abort();
      assert.equal(await failure(cancelled), "Canceled");
      await q.waiting("small", 0, "Puts");
      await q.client.deleteTask({ tube: "small", id: 1n });
      assert.deepEqual(await q.counts("small"), {});
    });
  });
}

describe("who waits is served first come first served", () => {
  test("a thousand takers get a thousand tasks in the order of their coming", async (t) => {
    const q = await start(t);
    const takers: Promise<bigint>[] = [];
    for (let taker = 1; taker <= 1_000; taker++) {
      takers.push(q.take("jobs", { wait: LONG }).then((task) => task.id));
    }
    await q.waiting("jobs", 1_000);
    // One connection carries calls in order, so taker number n is the nth.
    for (let id = 1n; id <= 3n; id++) {
      await q.put("jobs", "one");
      assert.equal(await takers[Number(id) - 1], id);
    }
    await q.waiting("jobs", 997);
    await q.client.batchPut({ tube: "jobs", tasks: Array(997).fill(text("many")) });
    assert.deepEqual(
      await Promise.all(takers),
      takers.map((_, index) => BigInt(index + 1)),
    );
    assert.deepEqual(await q.counts("jobs"), { leased: 1_000 });
  });

  test("a take that came later does not overtake one that waits", async (t) => {
    const q = await start(t);
    await q.client.pauseTube({ tube: "jobs" });
    await q.put("jobs", "a");
    const first = q.take("jobs", { wait: LONG });
    await q.waiting("jobs", 1);
    assert.deepEqual(await q.takeUpTo(1, "jobs"), []);
    await q.client.resumeTube({ tube: "jobs" });
    assert.equal(textOf(await first), "a");
  });

  test("a take of many is answered with what is there, not when it is full", async (t) => {
    const q = await start(t);
    const taken = q.takeUpTo(10, "jobs", { wait: LONG });
    await q.waiting("jobs", 1);
    await q.client.batchPut({ tube: "jobs", tasks: [text("a"), text("b")] });
    assert.deepEqual((await taken).map(textOf), ["a", "b"]);
  });

  test("puts that wait go in as they came, and a batch holds up those behind it", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 2n });
    await q.client.batchPut({ tube: "small", tasks: [text("a"), text("b")] });
    const wait = ms(LONG);
    const batch = q.client.batchPut({ tube: "small", tasks: [text("c"), text("d")], wait });
    await q.waiting("small", 1, "Puts");
    const single = q.client.put({ tube: "small", task: text("e"), wait });
    await q.waiting("small", 2, "Puts");
    await q.client.ack({ lease: (await q.take("small")).lease });
    // There is room for one now, and the batch of two is first.
    await q.waiting("small", 2, "Puts");
    assert.deepEqual(await q.counts("small"), { ready: 1 });
    await q.client.ack({ lease: (await q.take("small")).lease });
    assert.deepEqual((await batch).ids, [3n, 4n]);
    await q.waiting("small", 1, "Puts");
    await q.client.ack({ lease: (await q.take("small")).lease });
    assert.equal((await single).task?.id, 5n);
  });

  test("a larger capacity lets waiting puts in", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    await q.put("small", "a");
    const waiting = q.client.put({ tube: "small", task: text("b"), wait: ms(LONG) });
    await q.waiting("small", 1, "Puts");
    await q.client.updateTube({ tube: { name: "small", capacity: 2n } });
    assert.equal((await waiting).task?.id, 2n);
  });

  test("a batch larger than the capacity is refused when its time is over", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    const tasks = [text("a"), text("b")];
    const call = q.client.batchPut({ tube: "small", tasks, wait: ms(20) });
    assert.equal(await failure(call), "ResourceExhausted TUBE_FULL");
    assert.deepEqual(await q.counts("small"), {});
  });
});

describe("who waits on a tube that is deleted gets TUBE_NOT_FOUND", () => {
  test("takes and puts", async (t) => {
    const q = await start(t);
    await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
    await q.put("small", "a");
    const put = failure(q.client.put({ tube: "small", task: text("b"), wait: ms(LONG) }));
    const take = failure(q.take("jobs", { wait: LONG }));
    await q.waiting("small", 1, "Puts");
    await q.waiting("jobs", 1);
    await q.client.deleteTube({ tube: "small" });
    await q.client.deleteTube({ tube: "jobs" });
    assert.equal(await put, "NotFound TUBE_NOT_FOUND");
    assert.equal(await take, "NotFound TUBE_NOT_FOUND");
  });
});

/** How a call ends for a client whose network breaks. */
const BROKEN = /^(Unavailable|Canceled|Aborted|Internal|Unknown)/;

describe("a client that vanishes", () => {
  for (const way of ways) {
    test(`while it waits, over ${way}: it takes nothing and holds up nobody`, async (t) => {
      const usher = await startService(t);
      const q = Queue.of(usher);
      await q.tube("jobs");
      const relay = await startRelay(t, addressFor(usher, way));
      const doomed = Queue.of(through(relay), way);
      const lost = failure(doomed.take("jobs", { wait: LONG }));
      await q.waiting("jobs", 1);
      relay.cut();
      assert.match(await lost, BROKEN);
      await q.waiting("jobs", 0);
      await q.put("jobs", "a");
      const task = await q.take("jobs");
      assert.equal(task.attempt, 1);
    });

    for (const [how, leave] of [
      ["breaks off", (relay: Relay, _caller: AbortController) => relay.cut()],
      ["cancels", (_relay: Relay, caller: AbortController) => caller.abort()],
    ] as const) {
      test(`and ${how} with an answer under way, over ${way}: the tasks go back at once`, async (t) => {
        const usher = await startService(t);
        const q = Queue.of(usher);
        await q.tube("jobs");
        // Three megabytes do not fit into what the network takes by itself.
        const tasks = Array.from({ length: 3 }, () => text(incompressible(1_000_000)));
        await q.client.batchPut({ tube: "jobs", tasks });
        const relay = await startRelay(t, addressFor(usher, way));
        relay.stall();
        const caller = new AbortController();
        const doomed = Queue.of(through(relay), way).client;
        const request = { tube: "jobs", maxTasks: 3 };
        const lost = failure(doomed.take(request, { signal: caller.signal }));
        await q.becomes("jobs", { leased: 3 });
        leave(relay, caller);
        assert.match(await lost, BROKEN);
        await q.becomes("jobs", { ready: 3 });
        const [task] = await q.takeUpTo(1, "jobs");
        assert.equal(task?.attempt, 1, "as if never taken");
        assert.ok(task && task.fence > 3n);
      });
    }
  }

  test("and 200 that vanish at once leave nothing behind", async (t) => {
    const usher = await startService(t);
    const q = Queue.of(usher);
    await q.tube("jobs");
    const relay = await startRelay(t, usher.grpcAddress);
    const doomed = Queue.of(through(relay));
    const lost = Array.from({ length: 200 }, () => failure(doomed.take("jobs", { wait: LONG })));
    await q.waiting("jobs", 200);
    relay.cut();
    await Promise.all(lost);
    await q.waiting("jobs", 0);
    await q.client.batchPut({ tube: "jobs", tasks: Array(200).fill(text("a")) });
    assert.deepEqual(await q.counts("jobs"), { ready: 200 });
  });
});

test("a take and a cancel that cross never lose a task", async (t) => {
  const q = await start(t);
  let answered = 0;
  for (let turn = 0; turn < 100; turn++) {
    const gone = new AbortController();
    const call = q.client
      .take({ tube: "jobs", wait: ms(LONG) }, { signal: gone.signal })
      .then(async ({ tasks: [task] }) => {
        answered++;
        await q.client.ack({ lease: task?.lease ?? "" });
      })
      .catch(() => {});
    await q.waiting("jobs", 1);
    const put = q.put("jobs", "a");
    for (let turns = turn % 10; turns > 0; turns--) await new Promise(setImmediate);
    gone.abort();
    await Promise.all([put, call]);
    const left = await q.takeUpTo(10, "jobs");
    for (const { lease } of left) await q.client.ack({ lease });
    // Answered to a caller that had gone by then: its lease ends as any other.
    const { leased = 0 } = await q.counts("jobs");
    if (leased > 0) await q.client.releaseAll({ tube: "jobs" });
    await until(async () => {
      for (const { lease } of await q.takeUpTo(10, "jobs")) await q.client.ack({ lease });
      return Object.keys(await q.counts("jobs")).length === 0;
    }, "an empty tube");
  }
  const { done } = await q.statistics("jobs");
  assert.equal(done, 100n);
  t.diagnostic(`${answered} of 100 takes were faster than their cancel`);
});
