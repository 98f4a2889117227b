import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { AttemptReservation, AuthRepository } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import { MINUTE, NOW } from "./fixtures.ts";

const WINDOW = 15 * MINUTE;

const reserved = { outcome: "reserved" };
const busy = { outcome: "busy" };

/** A try without an address, of which two may fail. */
export function reservation(
  account: string,
  given: Partial<AttemptReservation> = {},
): AttemptReservation {
  const now = given.now ?? NOW;
  return {
    id: randomUUID(),
    account,
    address: "",
    now,
    pendingUntil: now + MINUTE,
    windowMs: WINDOW,
    accountLimit: 2,
    addressLimit: 3,
    ...given,
  };
}

async function fail(repository: AuthRepository, attempt: AttemptReservation): Promise<void> {
  assert.deepEqual(await repository.reserveAttempt(attempt), reserved);
  await repository.failAttempt(attempt.id, { type: "sign_in_failed", time: attempt.now });
}

export const attemptCases: Cases = {
  async "no more tries are under way than may still fail, whoever asks at the same time"(storage) {
    const repository = await storage.open();
    const tries = Array.from({ length: 8 }, () => reservation("ann"));
    const outcomes = await Promise.all(tries.map((attempt) => repository.reserveAttempt(attempt)));
    const granted = tries.filter((_, nth) => outcomes[nth]?.outcome === "reserved");
    assert.equal(granted.length, 2);
    assert.equal(outcomes.filter(({ outcome }) => outcome === "busy").length, 6);
    assert.deepEqual(await repository.reserveAttempt(reservation("bob")), reserved);
    await repository.releaseAttempt(granted[0]?.id ?? "");
    await fail(repository, reservation("ann"));
    assert.deepEqual(await repository.reserveAttempt(reservation("ann")), busy);
  },

  async "a try that failed counts for its account and for its address"(storage) {
    const repository = await storage.open();
    const address = "192.0.2.1";
    await fail(repository, reservation("ann", { address }));
    await fail(repository, reservation("ann", { address }));
    const ofAnn = await repository.reserveAttempt(reservation("ann"));
    assert.equal(ofAnn.outcome, "locked");
    await fail(repository, reservation("bob", { address }));
    const fromThere = await repository.reserveAttempt(reservation("carl", { address }));
    assert.equal(fromThere.outcome, "locked");
    const other = { address: "192.0.2.2" };
    assert.deepEqual(await repository.reserveAttempt(reservation("carl", other)), reserved);
    assert.deepEqual(await repository.reserveAttempt(reservation("Ann")), reserved);
  },

  async "an account is locked from its last allowed failure until the oldest of them leaves the window"(
    storage,
  ) {
    const repository = await storage.open();
    await fail(repository, reservation("ann", { now: NOW }));
    await fail(repository, reservation("ann", { now: NOW + MINUTE }));
    const later = (now: number) => repository.reserveAttempt(reservation("ann", { now }));
    assert.deepEqual(await later(NOW + MINUTE), {
      outcome: "locked",
      retryAfterMs: WINDOW - MINUTE,
    });
    assert.deepEqual(await later(NOW + WINDOW - 1), { outcome: "locked", retryAfterMs: 1 });
    await fail(repository, reservation("ann", { now: NOW + WINDOW }));
    assert.deepEqual(await later(NOW + WINDOW), { outcome: "locked", retryAfterMs: MINUTE });
    assert.deepEqual(await later(NOW + WINDOW + MINUTE), reserved);
  },

  async "tries without an address count for their account alone"(storage) {
    const repository = await storage.open();
    for (let nth = 0; nth < 5; nth++) await fail(repository, reservation(`user ${nth}`));
    assert.deepEqual(await repository.reserveAttempt(reservation("ann")), reserved);
  },

  async "a try that was not settled counts as failed from its time on"(storage) {
    const repository = await storage.open();
    const address = "192.0.2.1";
    for (const account of ["ann", "ann", "bob"]) {
      await repository.reserveAttempt(reservation(account, { address }));
    }
    const inTime = reservation("ann", { now: NOW + MINUTE - 1 });
    assert.deepEqual(await repository.reserveAttempt(inTime), busy);
    const retryAfterMs = WINDOW - MINUTE;
    for (const given of [{ account: "ann" }, { address }]) {
      const late = reservation("carl", { now: NOW + MINUTE, ...given });
      const outcome = await repository.reserveAttempt(late);
      assert.deepEqual(outcome, { outcome: "locked", retryAfterMs });
    }
  },

  async "a try that needs no settling counts from its time on, whatever crashes"(storage) {
    const repository = await storage.open();
    const mail = () => reservation("mail:ann", { pendingUntil: undefined });
    assert.deepEqual(await repository.reserveAttempt(mail()), reserved);
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () => repository.reserveAttempt(mail())),
    );
    assert.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), [
      "locked",
      "locked",
      "locked",
      "reserved",
    ]);
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(await reopened.reserveAttempt(mail()), {
      outcome: "locked",
      retryAfterMs: WINDOW,
    });
    const over = { ...mail(), now: NOW + WINDOW };
    assert.deepEqual(await reopened.reserveAttempt(over), reserved);
  },

  async "tries that a crash cut off count as one failure of their account, and nobody waits for them"(
    storage,
  ) {
    const repository = await storage.open();
    const address = "192.0.2.1";
    for (const account of ["ann", "ann", "bob"]) {
      await repository.reserveAttempt(reservation(account, { address }));
    }
    await storage.close();
    const reopened = await storage.open();
    // Two tries may fail; one of ann's has.
    const next = reservation("ann");
    assert.deepEqual(await reopened.reserveAttempt(next), reserved);
    assert.deepEqual(await reopened.reserveAttempt(reservation("ann")), busy);
    await reopened.failAttempt(next.id, { type: "sign_in_failed", time: NOW });
    const locked = await reopened.reserveAttempt(reservation("ann"));
    assert.equal(locked.outcome, "locked");
    assert.deepEqual(await reopened.reserveAttempt(reservation("bob")), reserved);
    await storage.close();
    const again = await storage.open();
    assert.equal((await again.reserveAttempt(reservation("ann"))).outcome, "locked");
  },

  async "a failure of a time to come, as after a clock was set back, does not count"(storage) {
    const repository = await storage.open();
    const address = "192.0.2.1";
    const later = NOW + 60 * MINUTE;
    for (const account of ["ann", "ann", "bob"]) {
      await fail(repository, reservation(account, { address, now: later }));
    }
    const pending = reservation("carl", { now: later, accountLimit: 1 });
    assert.deepEqual(await repository.reserveAttempt(pending), reserved);
    for (const given of [{ account: "ann" }, { address }, { accountLimit: 1 }]) {
      const attempt = reservation("carl", given);
      assert.deepEqual(await repository.reserveAttempt(attempt), reserved);
      await repository.releaseAttempt(attempt.id);
    }
    // Clocks of instances may be a minute apart.
    const near = reservation("ann", { now: later - MINUTE });
    const retryAfterMs = WINDOW + MINUTE;
    assert.deepEqual(await repository.reserveAttempt(near), { outcome: "locked", retryAfterMs });
  },

  async "a try that was taken back does not count"(storage) {
    const repository = await storage.open();
    for (let nth = 0; nth < 3; nth++) {
      const attempt = reservation("ann", { address: "192.0.2.1" });
      assert.deepEqual(await repository.reserveAttempt(attempt), reserved);
      await repository.releaseAttempt(attempt.id);
      await repository.failAttempt(attempt.id, { type: "sign_in_failed", time: NOW });
    }
    await repository.releaseAttempt("unknown");
    assert.deepEqual(await repository.reserveAttempt(reservation("ann")), reserved);
  },
};
