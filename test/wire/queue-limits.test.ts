import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { create, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { NewTaskSchema, TakeResponseSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { failure, type NewTask, Queue, text } from "../support/queue.ts";
import { startService } from "../support/service.ts";

const MIB = 2 ** 20;
/** What gRPC clients accept by default. */
const CLIENTS_ACCEPT = 4 * MIB;

async function start(t: TestContext): Promise<Queue> {
  return Queue.of(await startService(t));
}

function json(value: JsonValue): NewTask {
  return { payload: { content: { case: "json", value: fromJson(ValueSchema, value) } } };
}

describe("answers stay below what gRPC clients accept", () => {
  const names = "x".repeat(256);
  const cases: Record<string, NewTask> = {
    "large payloads": text("x".repeat(300_000)),
    "small payloads": text("x".repeat(300)),
    "long groups and keys": text("", { group: names }),
    "many attributes": text("", {
      attributes: Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, ""])),
    }),
    "JSON that is longer on the wire than as text": json(Array(50_000).fill(0)),
  };
  for (const [name, task] of Object.entries(cases)) {
    test(`${name}: Take, Work and ListTasks`, async (t) => {
      const q = await start(t);
      const tube = "t".repeat(64);
      await q.tube(tube, "UTUBE");
      const count = 10_000;
      const bytes = toBinary(NewTaskSchema, create(NewTaskSchema, task)).length;
      const total = Math.min(count, Math.ceil((6 * MIB) / bytes));
      const tasks = Array.from({ length: total }, (_, index) => ({
        ...task,
        ...(task.group && {
          group: `${index}`.padStart(256, "0"),
          dedupKey: `${index}`.padStart(256, "0"),
        }),
      }));
      for (let from = 0; from < total; from += 500) {
        await q.client.batchPut({ tube, tasks: tasks.slice(from, from + 500) });
      }
      let taken = 0;
      let answers = 0;
      for (;;) {
        const answer = await q.client.take({ tube, maxTasks: count });
        if (answer.tasks.length === 0) break;
        const bytes = toBinary(TakeResponseSchema, answer).length;
        assert.ok(bytes <= CLIENTS_ACCEPT, `${answer.tasks.length} tasks in ${bytes} bytes`);
        taken += answer.tasks.length;
        answers++;
      }
      assert.equal(taken, total);
      assert.ok(answers <= total);
      await q.client.releaseAll({ tube });

      const worker = q.work({ tubes: [tube], prefetch: 10_000 });
      for (let pushed = 0; pushed < total; ) {
        const message = await worker.tasks();
        const bytes = toBinary(TakeResponseSchema, {
          $typeName: TakeResponseSchema.typeName,
          tasks: message,
        });
        assert.ok(
          bytes.length <= CLIENTS_ACCEPT,
          `${message.length} tasks in ${bytes.length} bytes`,
        );
        pushed += message.length;
      }
      worker.cancel();

      let pageToken = "";
      let listed = 0;
      do {
        const page = await q.client.listTasks({ tube, pageSize: 1_000, pageToken });
        const bytes = toBinary(TakeResponseSchema, {
          $typeName: TakeResponseSchema.typeName,
          tasks: page.tasks,
        });
        assert.ok(
          bytes.length <= CLIENTS_ACCEPT,
          `${page.tasks.length} tasks in ${bytes.length} bytes`,
        );
        listed += page.tasks.length;
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      assert.equal(listed, total);
    });
  }

  test("the largest task of each form can be put and taken alone", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    const largest: NewTask[] = [
      text("x".repeat(MIB)),
      { payload: { content: { case: "data", value: new Uint8Array(MIB) } } },
      text("x".repeat(MIB - 4), { attributes: { ab: "cd" } }),
    ];
    for (const task of largest) {
      await q.client.put({ tube: "jobs", task });
      const { tasks } = await q.client.take({ tube: "jobs", maxTasks: 10 });
      assert.equal(tasks.length, 1);
    }
    for (const task of [
      text("x".repeat(MIB + 1)),
      text("x".repeat(MIB - 3), { attributes: { ab: "cd" } }),
      json("x".repeat(MIB + 1)),
      // 600 kB as text, and 3 MB on the wire.
      json(Array(300_000).fill(0)),
    ]) {
      const call = q.client.put({ tube: "jobs", task });
      assert.equal(await failure(call), "InvalidArgument PAYLOAD_TOO_LARGE task.payload");
    }
  });
});

describe("counts", () => {
  test("10,000 tasks, leases and takes at once, and not one more", async (t) => {
    const q = await start(t);
    await q.tube("jobs");
    const tasks = Array(10_000).fill(text(""));
    const { ids } = await q.client.batchPut({ tube: "jobs", tasks });
    assert.deepEqual([ids.length, ids[0], ids.at(-1)], [10_000, 1n, 10_000n]);
    const taken = await q.takeUpTo(10_000, "jobs");
    assert.equal(taken.length, 10_000);
    const leases = taken.map(({ lease }) => lease);
    assert.deepEqual((await q.client.batchRelease({ leases })).failures, []);
    const worker = q.work({ tubes: ["jobs"], prefetch: 10_000 });
    const pushed = await worker.take(10_000);
    worker.settle({ sequence: 1n, acks: pushed.map(({ lease }) => lease) });
    assert.deepEqual(await worker.settled(), { sequence: 1n, failures: {} });
    assert.deepEqual(await q.counts("jobs"), {});
    const tooMany = [...tasks, text("")];
    const bad = "InvalidArgument INVALID_PARAMS";
    assert.equal(
      await failure(q.client.batchPut({ tube: "jobs", tasks: tooMany })),
      `${bad} tasks`,
    );
    assert.equal(await failure(q.takeUpTo(10_001, "jobs")), `${bad} max_tasks`);
    const many = Array(10_001).fill("x");
    assert.equal(await failure(q.client.batchAck({ leases: many })), `${bad} leases`);
    assert.equal(await failure(q.client.batchRelease({ leases: many })), `${bad} leases`);
    worker.cancel();
  });

  test("a task limit that is configured is the one that counts, and is named", async (t) => {
    const usher = await startService(t, { USHER_QUEUE_MAX_TASK_SIZE: "1KiB" });
    const q = Queue.of(usher);
    await q.tube("jobs");
    await q.put("jobs", "x".repeat(1_024));
    const error = await q.put("jobs", "x".repeat(1_025)).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    assert.match(String(error), /1025 bytes.*1024/);
  });

  test("a request past its own limit is refused, and the connection goes on", async (t) => {
    const usher = await startService(t, { USHER_QUEUE_MAX_REQUEST_SIZE: "2MiB" });
    const q = Queue.of(usher);
    await q.tube("jobs");
    const tasks = Array(3).fill(text("x".repeat(MIB - 10)));
    const call = q.client.batchPut({ tube: "jobs", tasks });
    assert.match(await failure(call), /PAYLOAD_TOO_LARGE/);
    assert.equal(await q.put("jobs", "a"), 1n);
  });
});
