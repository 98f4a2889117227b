import assert from "node:assert/strict";
import { reservation } from "./attempts.ts";
import { listEvents } from "./audit.ts";
import type { Cases } from "./cases.ts";
import {
  DAY,
  hashOf,
  liveSession,
  makeActive,
  NOW,
  passwordSignIn,
  register,
  signInByPassword,
} from "./fixtures.ts";

const LATER = NOW + 10 * DAY;

export const sweepingCases: Cases = {
  async "a sweep removes what is over, in steps, and nothing else"(storage) {
    const repository = await storage.open();
    const fail = async (now: number): Promise<void> => {
      const attempt = reservation("ann", { now, accountLimit: 100 });
      await repository.reserveAttempt(attempt);
      await repository.failAttempt(attempt.id, { type: "sign_in_failed", time: now });
    };
    for (let nth = 0; nth < 5; nth++) await fail(NOW);
    await fail(LATER);
    const codeHash = hashOf("code");
    await register(repository, "old@example.com", { now: LATER - 3 * DAY, codeHash });
    const live = { now: LATER, codeHash, codeExpireTime: LATER + DAY };
    await register(repository, "new@example.com", live);
    await makeActive(repository, "bob@example.com", { userId: "bob", now: LATER });
    const { session } = passwordSignIn("bob", "token");
    const opened = { ...session, expireTime: LATER + 1 };
    await signInByPassword(repository, "bob", "token", { now: LATER, session: opened });
    const reset = { emailKey: "bob@example.com", tokenHash: hashOf("reset"), now: LATER };
    await repository.saveResetToken({ ...reset, expireTime: LATER + DAY, mail: undefined });

    const request = {
      now: LATER,
      attemptsBefore: LATER - DAY,
      eventsBefore: LATER - DAY,
      revocationsBefore: LATER - DAY,
      limit: 2,
    };
    const removed = [];
    do removed.push(await repository.sweep(request));
    while (removed.at(-1) !== 0);
    assert.deepEqual(removed, [2, 2, 2, 0]);

    const kept = (await listEvents(repository)).map(({ type }) => type);
    assert.deepEqual(kept, [
      "password_reset_requested",
      "signed_in",
      "imported",
      "registered",
      "sign_in_failed",
    ]);
    await liveSession(repository, "token", { now: LATER });
    assert.equal(await repository.checkResetToken(reset), true);
    const code = { emailKey: "new@example.com", codeHash, now: LATER };
    assert.equal(await repository.checkActivationCode(code), "good");
    const next = reservation("ann", { now: LATER, accountLimit: 1 });
    assert.equal((await repository.reserveAttempt(next)).outcome, "locked");
    assert.ok(await repository.findUser({ emailKey: "old@example.com" }));
  },
};
