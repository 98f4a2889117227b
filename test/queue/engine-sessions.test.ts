import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { assertReason, assertThrows, idsOf, startEngine } from "./running-engine.ts";

const SECOND = 1_000;
const TTL = 10 * SECOND;

describe("a session", () => {
  test("ends after its ttl, and its leases are released together", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.tube("u", "UTUBE");
    await q.put("t", {}, {}, {});
    await q.put("u", { group: "g" });
    const { id: session, expiresAt } = q.engine.openSession(TTL);
    assert.equal(expiresAt, q.clock.now() + TTL);
    const [first] = await q.take("t", { maxTasks: 2, session });
    await q.takeOne("u", { session });
    await q.takeOne("t");
    await q.step(TTL - 1);
    assert.deepEqual(q.counts("t"), { leased: 3 });
    await q.step(1);
    assert.deepEqual(q.counts("t"), { ready: 2, leased: 1 });
    assert.deepEqual(q.counts("u"), { ready: 1 });
    assert.equal((await q.engine.getTask("t", 1)).reason, "session over");
    if (first) await assertReason(q.ack(first), "LEASE_LOST");
    assertThrows(() => q.engine.renewSession(session), "SESSION_NOT_FOUND");
  });

  test("is renewed by every call that names it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const { id: session } = q.engine.openSession(TTL);
    await q.step(TTL - 1);
    assert.equal(q.engine.renewSession(session).expiresAt, q.clock.now() + TTL);
    await q.step(TTL - 1);
    assert.deepEqual(await q.take("t", { session }), []);
    await q.step(TTL - 1);
    q.engine.renewSession(session);
    await q.step(TTL);
    assertThrows(() => q.engine.renewSession(session), "SESSION_NOT_FOUND");
  });

  test("is noticed to be over before any timer", async (t) => {
    const q = await startEngine(t);
    const { id: session } = q.engine.openSession(TTL);
    q.clock.leap(TTL);
    assertThrows(() => q.engine.renewSession(session), "SESSION_NOT_FOUND");
  });

  test("that is closed releases its leases; a second close does not find it", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(TTL);
    await q.takeOne("t", { session });
    const waiting = q.take("t", { waitMs: SECOND });
    q.engine.closeSession(session);
    assert.equal((await waiting)[0]?.attempt, 2);
    assertThrows(() => q.engine.closeSession(session), "SESSION_NOT_FOUND");
    await assertReason(q.take("t", { session }), "SESSION_NOT_FOUND");
    await assertReason(q.take("t", { session: "never was" }), "SESSION_NOT_FOUND");
  });

  test("holds its leases as long as it lasts, where there is no ttr", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(TTL);
    const task = await q.takeOne("t", { session });
    assert.equal(task.leaseDeadline, Infinity);
    for (let tenth = 0; tenth < 100; tenth++) {
      await q.step(TTL - 1);
      q.engine.renewSession(session);
    }
    await q.ack(task);
  });

  test("does not keep a lease beyond ttr", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultTtrMs: SECOND });
    await q.put("t", {});
    const { id: session } = q.engine.openSession(TTL);
    await q.takeOne("t", { session });
    await q.step(SECOND);
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("is kept by a waiting take, and ends that when it is closed", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const { id: session } = q.engine.openSession(TTL);
    const waiting = q.take("t", { waitMs: 10 * TTL, session });
    const other = assertReason(q.take("t", { waitMs: 10 * TTL, session }), "SESSION_NOT_FOUND");
    await q.step(5 * TTL);
    await q.put("t", {});
    assert.deepEqual(idsOf(await waiting), [1]);
    q.engine.closeSession(session);
    await other;
    await q.idle();
    assert.equal(q.statistics("t").waitingTakers, 0);
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("has its ttl again from the end of a waiting take", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const { id: session } = q.engine.openSession(TTL);
    const waiting = q.take("t", { waitMs: 3 * TTL, session });
    await q.step(3 * TTL);
    assert.deepEqual(await waiting, []);
    await q.step(TTL - 1);
    q.engine.renewSession(session);
  });

  test("and its leases outlive a clean restart, not a crash", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {});
    const { id: session } = q.engine.openSession(TTL);
    const [kept, acked] = await q.take("t", { maxTasks: 2, session });
    await q.restart(TTL - 1);
    assert.deepEqual(q.counts("t"), { leased: 2 });
    q.engine.renewSession(session);
    if (acked) await q.ack(acked);
    await q.step(TTL - 1);
    assert.deepEqual(q.counts("t"), { leased: 1 });
    await q.step(1);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    if (kept) await assertReason(q.ack(kept), "LEASE_LOST");
    const second = q.engine.openSession(TTL);
    await q.crash();
    assertThrows(() => q.engine.renewSession(second.id), "SESSION_NOT_FOUND");
  });

  test("that ended while the server was down releases its leases at the start", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const { id: session } = q.engine.openSession(TTL);
    await q.takeOne("t", { session });
    await q.restart(TTL);
    await q.step(0);
    assert.deepEqual(q.counts("t"), { ready: 1 });
    assertThrows(() => q.engine.renewSession(session), "SESSION_NOT_FOUND");
  });
});
