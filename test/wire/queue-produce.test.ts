import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import type { ProduceResponse } from "../../gen/usher/queue/v1/stream_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { failure, ms, Queue, streamWays, text, texts } from "../support/queue.ts";
import { startRelay, through } from "../support/relay.ts";
import { startService, type Way } from "../support/service.ts";

async function start(t: TestContext, way?: Way): Promise<Queue> {
  const q = Queue.of(await startService(t), way);
  await q.tube("jobs");
  return q;
}

function shown({ sequence, ids, duplicates, error }: ProduceResponse) {
  return { sequence, ids, duplicates, error: error?.reason };
}

for (const way of streamWays) {
  describe(`a producer's stream over ${way}`, () => {
    test("answers each batch by its number, with ids in order", async (t) => {
      const q = await start(t, way);
      const producer = q.produce();
      producer.send({ sequence: 41n, tube: "jobs", tasks: [text("a"), text("b")] });
      assert.deepEqual(shown((await producer.next()) as ProduceResponse), {
        sequence: 41n,
        ids: [1n, 2n],
        duplicates: [],
        error: undefined,
      });
      // The answer means that it is there.
      assert.deepEqual(await q.counts("jobs"), { ready: 2 });
      producer.send({ sequence: 40n, tube: "jobs", tasks: [text("c")] });
      assert.deepEqual((await producer.next())?.ids, [3n]);
      producer.halfClose();
      assert.equal(await producer.next(), undefined);
      assert.deepEqual(await q.takeAllTexts("jobs"), ["a", "b", "c"]);
    });

    test("puts many batches in flight in the order in which they were sent", async (t) => {
      const q = await start(t, way);
      const producer = q.produce();
      const expected: string[] = [];
      for (let batch = 1; batch <= 1_000; batch++) {
        const names = [`${batch} first`, `${batch} second`];
        expected.push(...names);
        const tasks = names.map((name) => text(name));
        producer.send({ sequence: BigInt(batch), tube: "jobs", tasks });
      }
      producer.halfClose();
      const answers = await producer.rest();
      assert.equal(answers.length, 1_000);
      for (const { sequence, ids } of answers)
        assert.deepEqual(ids, [2n * sequence - 1n, 2n * sequence]);
      assert.deepEqual(await q.takeAllTexts("jobs"), expected);
    });

    test("a bad batch fails alone, and whole", async (t) => {
      const q = await start(t, way);
      await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
      const producer = q.produce();
      const bad: [Parameters<typeof producer.send>[0], string][] = [
        [{ tube: "", tasks: [text("x")] }, "INVALID_PARAMS"],
        [{ tube: "a b", tasks: [text("x")] }, "INVALID_PARAMS"],
        [{ tube: "nope", tasks: [text("x")] }, "TUBE_NOT_FOUND"],
        [{ tube: "jobs", tasks: [] }, "INVALID_PARAMS"],
        [{ tube: "jobs", tasks: [text("x"), {}] }, "INVALID_PARAMS"],
        [{ tube: "jobs", tasks: [text("x"), text("y", { group: "g" })] }, "INVALID_PARAMS"],
        [{ tube: "jobs", tasks: [text("x".repeat(2 ** 20 + 1))] }, "PAYLOAD_TOO_LARGE"],
        [{ tube: "jobs", tasks: [text("x")], wait: ms(-1) }, "INVALID_PARAMS"],
        [{ tube: "jobs", tasks: Array(10_001).fill(text("")) }, "INVALID_PARAMS"],
        [{ tube: "small", tasks: [text("x"), text("y")] }, "TUBE_FULL"],
      ];
      for (const [index, [batch, reason]] of bad.entries()) {
        producer.send({ ...batch, sequence: BigInt(index) });
        const { error, ...answer } = shown((await producer.next()) as ProduceResponse);
        assert.deepEqual(answer, { sequence: BigInt(index), ids: [], duplicates: [] });
        assert.equal(error, reason);
      }
      producer.send({ sequence: 100n, tube: "jobs", tasks: [text("good")] });
      assert.deepEqual((await producer.next())?.ids, [1n]);
      assert.deepEqual(await q.takeAllTexts("jobs"), ["good"]);
      producer.cancel();
    });

    test("a batch that waits for room lets those for other tubes pass", async (t) => {
      const q = await start(t, way);
      await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
      await q.put("small", "first");
      const producer = q.produce();
      producer.send({ sequence: 1n, tube: "small", tasks: [text("second")], wait: ms(3_600_000) });
      producer.send({ sequence: 2n, tube: "jobs", tasks: [text("other")] });
      assert.equal((await producer.next())?.sequence, 2n);
      await q.client.ack({ lease: (await q.take("small")).lease });
      assert.equal((await producer.next())?.sequence, 1n);
      assert.deepEqual(await q.takeAllTexts("small"), ["second"]);
      producer.cancel();
    });

    test("names duplicates by their places, in one batch and between batches", async (t) => {
      const q = await start(t, way);
      const producer = q.produce();
      const keyed = (key: string) => text(key, { dedupKey: key });
      producer.send({ sequence: 1n, tube: "jobs", tasks: [keyed("a"), keyed("b"), keyed("a")] });
      producer.send({ sequence: 2n, tube: "jobs", tasks: [keyed("c"), keyed("b")] });
      producer.halfClose();
      assert.deepEqual((await producer.rest()).map(shown), [
        { sequence: 1n, ids: [1n, 2n, 1n], duplicates: [2], error: undefined },
        { sequence: 2n, ids: [3n, 2n], duplicates: [1], error: undefined },
      ]);
    });

    test("a stream that is cancelled takes back what still waits for room", async (t) => {
      const q = await start(t, way);
      await q.tube("small", "LIMFIFOTTL", { capacity: 1n });
      await q.put("small", "first");
      const producer = q.produce();
      producer.send({ sequence: 1n, tube: "small", tasks: [text("second")], wait: ms(3_600_000) });
      await q.waiting("small", 1, "Puts");
      producer.cancel();
      await q.waiting("small", 0, "Puts");
      await q.client.deleteTask({ tube: "small", id: 1n });
      assert.deepEqual(await q.counts("small"), {});
    });

    test("one that sends nothing ends well", async (t) => {
      const q = await start(t, way);
      const producer = q.produce();
      producer.halfClose();
      assert.deepEqual(await producer.rest(), []);
    });
  });
}

test("a producer that vanishes leaves whole batches or nothing of them", async (t) => {
  const usher = await startService(t);
  const q = Queue.of(usher);
  await q.tube("jobs");
  const relay = await startRelay(t, usher.grpcAddress);
  const producer = Queue.of(through(relay)).produce();
  for (let batch = 1; batch <= 500; batch++) {
    const tasks = Array.from({ length: 10 }, () => text(String(batch)));
    producer.send({ sequence: BigInt(batch), tube: "jobs", tasks });
  }
  let answered = 0n;
  while (answered < 20n) answered = (await producer.next())?.sequence ?? 0n;
  relay.cut();
  const seen = producer.rest();
  assert.match(await failure(seen), /^(Unavailable|Canceled|Aborted|Internal|Unknown)/);
  const stored = texts(await q.takeUpTo(10_000, "jobs"));
  const batches = new Set(stored);
  assert.ok(batches.size >= 20, "what was answered is there");
  assert.equal(stored.length, batches.size * 10);
});

test("a producer that does not read its answers is held back, and loses none", async (t) => {
  const q = await start(t);
  const producer = q.produce();
  const SENT = 1_500;
  const tasks = Array(200).fill(text(""));
  for (let batch = 1; batch <= SENT; batch++) {
    producer.send({ sequence: BigInt(batch), tube: "jobs", tasks });
  }
  // Held back: nothing more is put, though there is more to put.
  let before = -1n;
  for (let same = 0; same < 20; ) {
    const { calls } = await q.statistics("jobs");
    same = calls?.put === before ? same + 1 : 0;
    before = calls?.put ?? 0n;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(before > 0n && before < BigInt(SENT), `${before} batches were put unheard`);
  producer.halfClose();
  const answers = await producer.rest();
  assert.deepEqual(
    answers.map(({ sequence }) => sequence),
    answers.map((_, index) => BigInt(index + 1)),
  );
  assert.equal(answers.length, SENT);
});
