import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { TaskChange } from "../../gen/usher/queue/v1/stream_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { failure, ms, Queue, streamWays, text, textOf } from "../support/queue.ts";
import { startRelay, through } from "../support/relay.ts";
import { startService, type Way } from "../support/service.ts";

async function start(t: TestContext, way?: Way): Promise<Queue> {
  const q = Queue.of(await startService(t), way);
  await q.tube("jobs", "FIFOTTL", { maxAttempts: 3 });
  return q;
}

for (const way of [...streamWays, "gRPC-Web", "Connect over HTTP/1.1"] as const) {
  describe(`a watch over ${way}`, () => {
    test("tells every change, in order, with the task after it", async (t) => {
      const q = await start(t, way);
      const watch = await q.watch("jobs");
      const id = await q.put("jobs", "a", { delay: ms(100), priority: 3, dedupKey: "k" });
      const [put] = await watch.changes(1);
      // Where the put itself took longer than that, it was READY at once.
      if (put !== "PUT READY") {
        assert.equal(put, "PUT DELAYED");
        assert.deepEqual(await watch.changes(1), ["READY READY"]);
      }
      const first = await q.take("jobs");
      const taken = await watch.next();
      assert.equal(taken.change, TaskChange.TAKEN);
      assert.equal(taken.task?.id, id);
      assert.equal(taken.task.tube, "jobs");
      assert.equal(taken.task.attempt, 1);
      assert.equal(taken.task.priority, 3);
      assert.equal(taken.task.dedupKey, "k");
      assert.equal(taken.task.lease, "", "a lease is for its holder alone");
      assert.equal(taken.task.payload, undefined, "payloads are for those who ask");
      assert.ok(taken.time);
      await q.client.release({ lease: first.lease, reason: "smtp 451" });
      const released = await watch.next();
      assert.equal(released.change, TaskChange.RELEASED);
      assert.equal(released.task?.reason, "smtp 451");
      const second = await q.take("jobs");
      await q.client.release({ lease: second.lease, delay: ms(20) });
      assert.deepEqual(await watch.changes(3), ["TAKEN LEASED", "RELEASED DELAYED", "READY READY"]);
      const third = await q.take("jobs");
      await q.client.release({ lease: third.lease, reason: "again" });
      assert.deepEqual(await watch.changes(1), ["TAKEN LEASED"]);
      const buried = await watch.next();
      assert.equal(buried.change, TaskChange.BURIED, "the last attempt");
      assert.equal(buried.task?.reason, "again");
      await q.client.kickTasks({ tube: "jobs", count: 1 });
      await q.client.buryTask({ tube: "jobs", id });
      await q.client.kickTasks({ tube: "jobs", count: 1 });
      await q.client.bury({ lease: (await q.take("jobs")).lease });
      await q.client.deleteTask({ tube: "jobs", id });
      assert.deepEqual(await watch.changes(6), [
        "KICKED READY",
        "BURIED BURIED",
        "KICKED READY",
        "TAKEN LEASED",
        "BURIED BURIED",
        "DELETED DONE",
      ]);
      await q.put("jobs", "b");
      await q.client.ack({ lease: (await q.take("jobs")).lease });
      await q.put("jobs", "c", { ttl: ms(20) });
      assert.deepEqual(await watch.changes(5), [
        "PUT READY",
        "TAKEN LEASED",
        "ACKED DONE",
        "PUT READY",
        "EXPIRED DONE",
      ]);
      await q.client.batchPut({ tube: "jobs", tasks: [text("d"), text("e")] });
      await q.client.truncateTube({ tube: "jobs" });
      assert.deepEqual(await watch.changes(2), ["PUT READY", "PUT READY"]);
      const truncated = await watch.next();
      assert.equal(truncated.change, TaskChange.TRUNCATED);
      assert.equal(truncated.task?.tube, "jobs");
      assert.equal(truncated.task.id, 0n, "it is about the tube as a whole, and told once");
      await q.put("jobs", "f");
      assert.deepEqual(await watch.changes(1), ["PUT READY"]);
      watch.cancel();
    });

    test("tells of leases that ended by themselves, with the reason", async (t) => {
      const q = await start(t, way);
      const watch = await q.watch("jobs");
      await q.put("jobs", "a", { ttr: ms(20) });
      await q.take("jobs");
      await watch.changes(2);
      const byTime = await watch.next();
      assert.equal(byTime.change, TaskChange.RELEASED);
      assert.equal(byTime.task?.reason, "ttr over");
      await q.client.deleteTask({ tube: "jobs", id: 1n });
      await q.put("jobs", "b");
      const { session } = await q.client.openSession({});
      await q.take("jobs", { session: session?.id ?? "" });
      await q.client.closeSession({ session: session?.id ?? "" });
      await watch.changes(3);
      const bySession = await watch.next();
      assert.equal(bySession.change, TaskChange.RELEASED);
      assert.equal(bySession.task?.reason, "session over");
      await q.take("jobs");
      await q.client.releaseAll({ tube: "jobs" });
      assert.deepEqual(await watch.changes(2), ["TAKEN LEASED", "RELEASED READY"]);
      watch.cancel();
    });

    test("shows payloads and attributes on request, in each change", async (t) => {
      const q = await start(t, way);
      const watch = await q.watch("jobs", true);
      await q.put("jobs", "hello", { attributes: { from: "ada" } });
      await q.client.ack({ lease: (await q.take("jobs")).lease });
      for (let count = 0; count < 3; count++) {
        const { task } = await watch.next();
        assert.ok(task);
        assert.equal(textOf(task), "hello");
        assert.deepEqual(task.attributes, { from: "ada" });
      }
      watch.cancel();
    });

    test("ends with TUBE_NOT_FOUND when the tube does, after what came before", async (t) => {
      const q = await start(t, way);
      const watch = await q.watch("jobs");
      await q.put("jobs", "a");
      await q.client.deleteTube({ tube: "jobs" });
      assert.deepEqual(await watch.changes(1), ["PUT READY"]);
      assert.equal(await failure(watch.message()), "NotFound TUBE_NOT_FOUND");
    });

    test("of a tube that is not there is refused", async (t) => {
      const q = await start(t, way);
      for (const [tube, expected] of [
        ["nope", "NotFound TUBE_NOT_FOUND"],
        ["", "InvalidArgument INVALID_PARAMS tube"],
      ] as const) {
        const watch = q.client.watch({ tube })[Symbol.asyncIterator]();
        assert.equal(await failure(watch.next()), expected);
      }
    });
  });
}

test("a watcher that is too slow is told how many changes it missed", async (t) => {
  const usher = await startService(t);
  const q = Queue.of(usher);
  await q.tube("jobs");
  const relay = await startRelay(t, usher.grpcAddress);
  const watch = await Queue.of(through(relay)).watch("jobs");
  relay.stall();
  const PUTS = 40_000;
  // A key makes an event large, so that the network between is soon full.
  const dedupKey = (index: number) => String(index).padStart(256, "0");
  for (let batch = 0; batch < PUTS; batch += 5_000) {
    const tasks = Array.from({ length: 5_000 }, (_, i) =>
      text("", { dedupKey: dedupKey(batch + i) }),
    );
    await q.client.batchPut({ tube: "jobs", tasks });
  }
  relay.resume();
  let seen = 0;
  let missed = 0;
  let lastId = 0n;
  while (seen + missed < PUTS) {
    const message = await watch.message();
    assert.ok(message);
    if (message.case === "missed") missed += Number(message.value);
    else if (message.case === "event" && message.value.change === TaskChange.PUT) {
      const id = message.value.task?.id ?? 0n;
      assert.equal(id, BigInt(seen + missed + 1), "what is left out is told where it is left out");
      assert.ok(id > lastId);
      lastId = id;
      seen++;
    }
  }
  assert.equal(seen + missed, PUTS);
  assert.ok(missed > 0);
  // It goes on.
  await q.client.deleteTask({ tube: "jobs", id: 1n });
  const message = await watch.message();
  assert.equal(message?.case, "event");
  assert.equal(message.value.change, TaskChange.DELETED);
  watch.cancel();
});

test("a watcher changes nothing, and one that has gone costs nothing", async (t) => {
  const q = await start(t);
  const one = await q.watch("jobs");
  const two = await q.watch("jobs");
  await q.put("jobs", "a");
  assert.deepEqual(await one.changes(1), ["PUT READY"]);
  assert.deepEqual(await two.changes(1), ["PUT READY"]);
  one.cancel();
  two.cancel();
  const { waitingTakers } = await q.statistics("jobs");
  assert.equal(waitingTakers, 0n);
  assert.equal(textOf(await q.take("jobs")), "a");
});
