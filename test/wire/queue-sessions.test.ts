import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { atMs, failure, ms, Queue, text, textOf } from "../support/queue.ts";
import { startRelay, through } from "../support/relay.ts";
import { startService, ways } from "../support/service.ts";

const LOST = "FailedPrecondition LEASE_LOST";
const OVER = "NotFound SESSION_NOT_FOUND";

async function start(t: TestContext): Promise<Queue> {
  const q = Queue.of(await startService(t));
  await q.tube("jobs");
  return q;
}

async function open(q: Queue, ttlMs?: number): Promise<string> {
  const { session } = await q.client.openSession(ttlMs === undefined ? {} : { ttl: ms(ttlMs) });
  assert.ok(session);
  return session.id;
}

describe("a session", () => {
  test("is shared between connections and outlives them", async (t) => {
    const usher = await startService(t);
    const q = Queue.of(usher);
    await q.tube("jobs");
    for (const value of ["1", "2", "3"]) await q.put("jobs", value);
    const relay = await startRelay(t, usher.grpcAddress);
    const worker = Queue.of(through(relay));
    const session = await open(worker);
    const { lease } = await worker.take("jobs", { session });
    relay.cut();
    // The same worker comes back by other ways.
    for (const way of ways) await Queue.of(usher, way).client.renewSession({ session });
    const another = await Queue.of(usher, "Connect").take("jobs", { session });
    assert.deepEqual(await q.counts("jobs"), { leased: 2, ready: 1 });
    await q.client.ack({ lease });
    await q.client.closeSession({ session });
    await q.becomes("jobs", { ready: 2 });
    assert.equal(await failure(q.client.ack({ lease: another.lease })), LOST);
  });

  test("ends with its ttl when nobody names it, and releases its leases", async (t) => {
    const q = await start(t);
    await q.put("jobs", "a");
    const session = await open(q, 1_000);
    const { lease, leaseExpireTime } = await q.take("jobs", { session });
    assert.equal(leaseExpireTime, undefined);
    await q.becomes("jobs", { ready: 1 });
    assert.equal(await failure(q.client.ack({ lease })), LOST);
    for (const call of [
      q.client.renewSession({ session }),
      q.client.closeSession({ session }),
      q.client.take({ tube: "jobs", session }),
    ]) {
      assert.equal(await failure(call), OVER);
    }
    const { task } = await q.client.getTask({ tube: "jobs", id: 1n });
    assert.deepEqual([task?.reason, task?.attempt], ["session over", 1]);
  });

  test("is renewed by any call that names it", async (t) => {
    const q = await start(t);
    const { session } = await q.client.openSession({ ttl: ms(60_000) });
    const id = session?.id ?? "";
    let end = atMs(session?.expireTime);
    const later = async (call: () => Promise<unknown>) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await call();
      const renewed = await q.client.renewSession({ session: id });
      const next = atMs(renewed.session?.expireTime);
      assert.ok(next > end);
      end = next;
    };
    await later(async () => {});
    await later(() => q.takeUpTo(1, "jobs", { session: id }));
  });

  test("is kept by a waiting take, however short its ttl", async (t) => {
    const q = await start(t);
    await q.put("jobs", "held");
    const session = await open(q, 1_000);
    const held = await q.take("jobs", { session });
    const waiting = q.take("jobs", { session, wait: 3_600_000 });
    await q.waiting("jobs", 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(await q.counts("jobs"), { leased: 1 });
    await q.put("jobs", "next");
    assert.equal(textOf(await waiting), "next");
    await q.becomes("jobs", { ready: 2 });
    assert.equal(await failure(q.client.ack({ lease: held.lease })), LOST);
  });

  test("ends with ttr before: a lease lasts as long as the shorter of the two", async (t) => {
    const q = await start(t);
    await q.tube("timed", "FIFOTTL");
    await q.put("timed", "a", { ttr: ms(30) });
    const session = await open(q);
    const { leaseExpireTime } = await q.take("timed", { session });
    assert.ok(leaseExpireTime);
    await q.becomes("timed", { ready: 1 });
    await q.client.renewSession({ session });
  });

  test("that is closed ends a take that waits in it", async (t) => {
    const q = await start(t);
    const session = await open(q);
    const waiting = failure(q.take("jobs", { session, wait: 3_600_000 }));
    await q.waiting("jobs", 1);
    await q.client.closeSession({ session });
    assert.equal(await waiting, OVER);
    await q.waiting("jobs", 0);
  });

  test("holds leases of many tubes, and gives up only its own", async (t) => {
    const q = await start(t);
    await q.tube("other", "UTUBE");
    await q.client.batchPut({ tube: "jobs", tasks: [text("1"), text("2")] });
    await q.put("other", "3", { group: "g" });
    const [one, two] = [await open(q), await open(q)];
    await q.take("jobs", { session: one });
    const kept = await q.take("jobs", { session: two });
    await q.take("other", { session: one });
    await q.client.closeSession({ session: one });
    await q.becomes("jobs", { ready: 1, leased: 1 });
    await q.becomes("other", { ready: 1 });
    await q.client.ack({ lease: kept.lease });
  });

  test("lasts 60 s by default, 1 s to 24 h, and its id cannot be guessed", async (t) => {
    const q = await start(t);
    const { session } = await q.client.openSession({});
    assert.equal(session?.ttl?.seconds, 60n);
    for (const ttl of [1_000, 86_400_000]) await open(q, ttl);
    for (const ttl of [999, 86_400_001, 0, -1]) {
      const call = q.client.openSession({ ttl: ms(ttl) });
      assert.equal(await failure(call), "InvalidArgument INVALID_PARAMS ttl");
    }
    const ids = new Set(await Promise.all(Array.from({ length: 100 }, () => open(q))));
    assert.equal(ids.size, 100);
    for (const id of ids) assert.match(id, /^[\w-]{24,}$/);
  });
});
