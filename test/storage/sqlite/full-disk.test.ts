import assert from "node:assert/strict";
import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Health, HealthCheckResponse_ServingStatus } from "../../../gen/health/v1/health_pb.ts";
import { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import { UsherError } from "../../../src/base/errors.ts";
import { createAuthRepository } from "../../../src/storage/sqlite/auth/repository.ts";
import {
  hashOf,
  makeActive,
  NOW,
  registration,
  savedState,
  signInByPassword,
} from "../../conformance/auth/fixtures.ts";
import { text } from "../../queue/running-engine.ts";
import { freeListens, startProcess } from "../../support/process.ts";
import { failure, Queue, until } from "../../support/queue.ts";
import { clientOf } from "../../support/service.ts";
import { smallDisk } from "../../support/small-disk.ts";
import { keptUpEngine } from "./kept-up-engine.ts";

const FULL = "ResourceExhausted STORAGE_FULL";

test("while the disk is full puts are refused before they are tried, and all else goes on", async (t) => {
  const { database, running, said, sql, pragma } = await keptUpEngine(t);
  const isFull = (error: unknown) => error instanceof UsherError && error.reason === "STORAGE_FULL";
  await running.tube("q", "FIFO");
  const ids = await running.put("q", ...Array.from({ length: 20 }, () => text("x".repeat(10_000))));
  const reserved = (): number => statSync(join(database.folder.path, "usher.reserve")).size;
  const whole = reserved();

  // The database's own limit stands for the disk's.
  sql(`PRAGMA max_page_count = ${pragma("page_count") + 4}`);
  await assert.rejects(running.put("q", text("x".repeat(100_000))), isFull);
  assert.ok(reserved() < whole);
  const { commits } = running.store;
  await assert.rejects(running.put("q", text("small")), isFull);
  assert.equal(running.store.commits, commits);
  assert.equal(database.ping(), "full");

  const taken = await running.take("q", { maxTasks: 10 });
  for (const task of taken.slice(1)) await running.ack(task);
  await running.release(taken[0] as never);
  await running.engine.deleteTask("q", ids[19] as number);
  assert.deepEqual(running.counts("q"), { ready: 10 });
  await running.engine.createTube(
    { name: "t", kind: "FIFO", temporary: true, settings: {} },
    false,
  );
  await running.put("t", text("what is only in memory needs no room"));

  sql("PRAGMA max_page_count = 1000000");
  running.clock.step(1_000);
  assert.equal(database.ping(), undefined);
  assert.equal(reserved(), whole);
  await running.put("q", text("again"));
  assert.deepEqual(said, []);
});

test("while the disk is full accounts are not added, and sign-ins and endings go on", async (t) => {
  const { database } = await keptUpEngine(t);
  const repository = createAuthRepository(database);
  await makeActive(repository, "ann@example.com", { userId: "ann" });
  database.reserve.give(0);
  const isFull = (error: unknown) => error instanceof UsherError && error.reason === "STORAGE_FULL";
  await assert.rejects(repository.registerUser(registration("bob@example.com")), isFull);
  await assert.rejects(repository.importUsers({ users: [], now: NOW }), isFull);
  await assert.rejects(repository.saveState(savedState("state"), NOW), isFull);
  await signInByPassword(repository, "ann", "token");
  assert.equal(await repository.endSession({ tokenHash: hashOf("token"), now: NOW }), true);
  assert.equal(await repository.deleteUser({ userId: "ann", now: NOW }), true);
});

test("a full disk is told when it is seen, and when it has room again", async (t) => {
  const { database, running, said } = await keptUpEngine(t);
  database.reserve.give(0);
  running.clock.step(1_000);
  // There was room all the time.
  assert.deepEqual(said, []);
  const { fill } = database.reserve;
  database.reserve.fill = () => {};
  database.reserve.give(0);
  running.clock.step(2_000);
  assert.deepEqual(said, ["the disk is full: puts are refused until there is room"]);
  database.reserve.fill = fill;
  running.clock.step(1_000);
  assert.deepEqual(said.slice(1), ["the disk has room again"]);
});

test("a server on a full disk refuses puts, goes on with takes and acks, and tells so", async (t) => {
  const disk = smallDisk(t, 24);
  if (disk === undefined) return;
  const folder = join(disk.folder, "data");
  const listens = await freeListens();
  const addresses = { grpcAddress: listens.grpc, httpAddress: listens.http };
  let usher = await startProcess(t, folder, listens);
  const queue = Queue.of(addresses);
  await queue.tube("q");

  // Another program takes what the server leaves, to the last byte.
  const put = await putUntilRefused(queue);
  assert.equal(put.failure, FULL);
  fillUp(join(disk.folder, "other"));
  assert.equal(await failure(queue.put("q", "small")), FULL);

  assert.deepEqual(await readiness(listens.http), [
    200,
    { status: "ready", warning: "the disk is full: puts are refused" },
  ]);
  const health = clientOf(addresses, Health);
  const statuses = HealthCheckResponse_ServingStatus;
  assert.equal((await health.check({ service: "" })).status, statuses.SERVING);
  assert.equal(
    (await health.check({ service: QueueService.typeName })).status,
    statuses.NOT_SERVING,
  );

  // A crash and a start in between change nothing of it.
  const before = await queue.takeUpTo(20, "q");
  for (const { lease } of before) await queue.client.ack({ lease });
  await usher.end("SIGKILL");
  usher = await startProcess(t, folder, listens);
  assert.equal(await failure(queue.put("q", "small")), FULL);
  assert.equal(await ackAll(queue), put.count - before.length);
  await queue.client.deleteTube({ tube: "q" });

  rmSync(join(disk.folder, "other"));
  await until(async () => {
    const [, answer] = await readiness(listens.http);
    return !("warning" in answer);
  }, "room again");
  await queue.tube("q");
  await queue.put("q", "small");
  assert.match(usher.output(), /the disk is full: puts are refused until there is room/);
  assert.equal(await usher.end("SIGTERM"), 0);
});

test("a disk that fills up under acks alone takes all of them", async (t) => {
  const disk = smallDisk(t, 24);
  if (disk === undefined) return;
  const listens = await freeListens();
  const usher = await startProcess(t, join(disk.folder, "data"), listens);
  const queue = Queue.of({ grpcAddress: listens.grpc, httpAddress: listens.http });
  await queue.tube("q");
  const tasks = Array.from({ length: 100 }, () => ({
    payload: { content: { case: "text" as const, value: "x".repeat(50_000) } },
  }));
  await queue.client.batchPut({ tube: "q", tasks });
  fillUp(join(disk.folder, "other"));
  assert.equal(await ackAll(queue), 100);
  assert.equal(await usher.end("SIGTERM"), 0);
});

async function putUntilRefused(queue: Queue): Promise<{ count: number; failure: string }> {
  for (let count = 0; ; count++) {
    const outcome = await queue.put("q", "x".repeat(100_000)).catch((error: unknown) => error);
    if (typeof outcome !== "bigint")
      return { count, failure: await failure(Promise.reject(outcome)) };
  }
}

/** Takes and acks one by one; resolves with how many there were. */
async function ackAll(queue: Queue): Promise<number> {
  for (let count = 0; ; count++) {
    const [task] = await queue.takeUpTo(1, "q");
    if (task === undefined) return count;
    await queue.client.ack({ lease: task.lease });
  }
}

function fillUp(file: string): void {
  const { bavail, bsize } = statfsSync(join(file, ".."));
  for (let bytes = bavail * bsize; bytes > 0; bytes -= bsize) {
    try {
      writeFileSync(file, Buffer.alloc(bytes));
      return;
    } catch {
      // A little less, then.
    }
  }
}

async function readiness(http: string): Promise<[number, object]> {
  const answer = await fetch(`http://${http}/readyz`);
  return [answer.status, (await answer.json()) as object];
}
