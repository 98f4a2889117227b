import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { test } from "../support/on-each-storage.ts";
import {
  freeListens,
  type Listens,
  startProcess,
  temporaryFolder,
  type UsherProcess,
} from "../support/process.ts";
import { atMs, failure, ms, Queue, text, texts, until } from "../support/queue.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** The machine may be slow, but not that slow; far less than an hour. */
const LEEWAY = 300 * SECOND;

const PRELOAD = new URL("../support/settable-wall-clock.ts", import.meta.url).href;

/** A server process whose wall clock can be set, `startMs` off at its start. */
function start(
  t: TestContext,
  folder: string,
  listens: Listens,
  { stepMs, startMs }: { readonly stepMs: number; readonly startMs: number },
): Promise<UsherProcess> {
  return startProcess(t, folder, listens, {
    NODE_OPTIONS: `--import ${PRELOAD}`,
    WALL_STEP_MS: String(stepMs),
    WALL_START_MS: String(startMs),
  });
}

async function setWall(usher: UsherProcess): Promise<void> {
  usher.child.kill("SIGUSR2");
  await until(() => usher.output().includes("the wall clock is"), "the wall clock is set");
}

for (const [direction, stepMs] of Object.entries({ back: -HOUR, forward: HOUR })) {
  describe(`a server whose wall clock is set ${direction} an hour`, () => {
    test(`ends what is over and nothing else, ${direction}`, async (t) => {
      const [folder, listens] = [temporaryFolder(t), await freeListens()];
      const usher = await start(t, folder, listens, { stepMs, startMs: 0 });
      const q = Queue.of({ grpcAddress: listens.grpc, httpAddress: listens.http });
      for (const tube of ["held", "short", "later", "of-session", "paused"]) {
        await q.tube(tube, "FIFOTTL");
      }
      await q.tube("empty");
      await q.put("held", "held", { ttr: ms(1_000 * SECOND) });
      const held = await q.take("held");
      await q.put("short", "short", { ttr: ms(2 * SECOND) });
      const short = await q.take("short");
      await q.put("later", "later", { delay: ms(2 * SECOND) });
      await q.put("of-session", "of a session");
      const { session } = await q.client.openSession({ ttl: ms(2 * SECOND) });
      await q.take("of-session", { session: session?.id ?? "" });
      await q.put("paused", "paused");
      await q.client.pauseTube({ tube: "paused", duration: ms(2 * SECOND) });
      const waits = [
        q.takeUpTo(1, "empty", { wait: 2 * SECOND }),
        q.takeUpTo(1, "later", { wait: HOUR }),
        q.takeUpTo(1, "paused", { wait: HOUR }),
      ];

      await setWall(usher);
      assert.deepEqual((await Promise.all(waits)).map(texts), [[], ["later"], ["paused"]]);
      await q.becomes("short", { ready: 1 });
      assert.match(await failure(q.client.ack({ lease: short.lease })), /LEASE_LOST/);
      await q.becomes("of-session", { ready: 1 });
      assert.deepEqual(await q.counts("held"), { leased: 1 });

      const { task } = await q.client.put({ tube: "held", task: text("shown") });
      const shownOff = atMs(task?.createTime) - Date.now() - stepMs;
      assert.ok(Math.abs(shownOff) < LEEWAY, `createTime is ${shownOff} ms off the wall clock`);

      // Kept by a clean stop, and held again by a process that starts with the clock as it is set.
      assert.equal(await usher.end("SIGTERM"), 0, usher.output());
      await start(t, folder, listens, { stepMs, startMs: stepMs });
      const again = Queue.of({ grpcAddress: listens.grpc, httpAddress: listens.http });
      assert.deepEqual(await again.counts("held"), { leased: 1, ready: 1 });
      const kept = await again.client.getTask({ tube: "held", id: held.id });
      const leftMs = atMs(kept.task?.leaseExpireTime) - Date.now() - stepMs;
      assert.ok(Math.abs(leftMs - 1_000 * SECOND) < LEEWAY, `it has ${leftMs} ms left`);
      await again.client.ack({ lease: held.lease });
    });
  });
}

test("a start after the wall clock was set back prolongs no lease", async (t) => {
  const [folder, listens] = [temporaryFolder(t), await freeListens()];
  const usher = await start(t, folder, listens, { stepMs: 0, startMs: HOUR });
  const q = Queue.of({ grpcAddress: listens.grpc, httpAddress: listens.http });
  await q.tube("t", "FIFOTTL");
  await q.put("t", "task", { ttr: ms(1_000 * SECOND) });
  const { lease, id } = await q.take("t");
  assert.equal(await usher.end("SIGTERM"), 0, usher.output());
  await start(t, folder, listens, { stepMs: 0, startMs: 0 });
  const again = Queue.of({ grpcAddress: listens.grpc, httpAddress: listens.http });
  const { task } = await again.client.getTask({ tube: "t", id });
  const leftMs = atMs(task?.leaseExpireTime) - Date.now();
  assert.ok(leftMs <= 1_000 * SECOND, `it has ${leftMs} ms left`);
  await again.client.ack({ lease });
});
