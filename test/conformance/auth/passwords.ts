import assert from "node:assert/strict";
import type { AuthRepository, PasswordChange } from "../../../src/auth/repository.ts";
import { reservation } from "./attempts.ts";
import type { Cases } from "./cases.ts";
import {
  checkToken,
  email,
  hashOf,
  liveSession,
  MINUTE,
  makeActive,
  NOW,
  passwordSignIn,
  register,
  SESSION_LIFE,
  signIn,
  signInByPassword,
} from "./fixtures.ts";

const reset = {
  emailKey: "ann@example.com",
  tokenHash: hashOf("reset"),
  expireTime: NOW + MINUTE,
  mail: undefined,
  now: NOW,
};

const completion = { ...reset, passwordHash: "new hash" };

function change(given: Partial<PasswordChange> = {}): PasswordChange {
  return {
    attemptId: "",
    userId: "ann",
    passwordHash: "hash",
    newPasswordHash: "new hash",
    keptTokenHash: undefined,
    mail: undefined,
    now: NOW,
    ...given,
  };
}

async function hashOfAnn(repository: AuthRepository): Promise<string | undefined> {
  return (await repository.findCredentials({ userId: "ann" }))?.passwordHash;
}

export const passwordCases: Cases = {
  async "credentials are found by id and by email, in any state of the user"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "Ann@example.com", { userId: "ann" });
    const expected = {
      userId: "ann",
      state: "active",
      email: email("Ann@example.com"),
      passwordHash: "hash",
    };
    assert.deepEqual(await repository.findCredentials({ userId: "ann" }), expected);
    const byEmail = { emailKey: "ann@example.com" };
    assert.deepEqual(await repository.findCredentials(byEmail), expected);
    await repository.deactivateUser({ userId: "ann", now: NOW });
    const deactivated = { ...expected, state: "deactivated" };
    assert.deepEqual(await repository.findCredentials(byEmail), deactivated);
    await register(repository, "bob@example.com", { userId: "bob" });
    const pending = { state: "pending", email: email("bob@example.com"), passwordHash: "" };
    assert.deepEqual(await repository.findCredentials({ userId: "bob" }), {
      userId: "bob",
      ...pending,
    });
    const { user } = await signIn(repository);
    const withoutEmail = await repository.findCredentials({ userId: user.id });
    assert.equal(withoutEmail?.email, undefined);
    assert.equal(await repository.findCredentials({ userId: "nobody" }), undefined);
  },

  async "a password opens a session, and the try does not count"(storage) {
    const repository = await storage.open();
    const user = await makeActive(repository, "ann@example.com", { userId: "ann" });
    await repository.reserveAttempt(reservation("ann@example.com", { id: "try", accountLimit: 1 }));
    const asked = passwordSignIn("ann", "token", { attemptId: "try" });
    const session = { ...asked.session, id: "s1", device: "Phone", address: "192.0.2.1" };
    const outcome = await repository.signInByPassword({ ...asked, session });
    const opened = {
      id: "s1",
      provider: "",
      device: "Phone",
      address: "192.0.2.1",
      createTime: NOW,
      lastSeenTime: NOW,
      expireTime: NOW + SESSION_LIFE,
    };
    assert.deepEqual(outcome, { outcome: "signed_in", user, session: opened });
    assert.deepEqual((await liveSession(repository, "token")).session, opened);
    const next = await repository.reserveAttempt(
      reservation("ann@example.com", { accountLimit: 1 }),
    );
    assert.deepEqual(next, { outcome: "reserved" });
  },

  async "a password that was changed since it was checked opens no session"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann", passwordHash: "other" });
    const changed = { outcome: "password_changed" };
    assert.deepEqual(await repository.signInByPassword(passwordSignIn("ann", "token")), changed);
    assert.deepEqual(await repository.signInByPassword(passwordSignIn("nobody", "token")), changed);
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "unknown" });
  },

  async "a user who was deactivated since the password was checked gets no session"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await repository.deactivateUser({ userId: "ann", now: NOW });
    const outcome = await repository.signInByPassword(passwordSignIn("ann", "token"));
    assert.deepEqual(outcome, { outcome: "user_not_active" });
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "unknown" });
  },

  async "a password is hashed anew where a new hash comes with the sign-in"(storage) {
    const repository = await storage.open();
    const user = await makeActive(repository, "ann@example.com", { userId: "ann" });
    const given = { newPasswordHash: "better", now: NOW + 5 };
    await signInByPassword(repository, "ann", "token", given);
    assert.equal(await hashOfAnn(repository), "better");
    assert.deepEqual(await repository.findUser({ userId: "ann" }), user);
  },

  async "another password ends every session but the one that is kept, and voids the reset token"(
    storage,
  ) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await makeActive(repository, "bob@example.com", { userId: "bob" });
    for (const token of ["one", "two", "three"]) await signInByPassword(repository, "ann", token);
    await signInByPassword(repository, "bob", "bob's");
    await repository.saveResetToken(reset);
    const kept = change({ keptTokenHash: hashOf("two"), now: NOW + 1 });
    assert.equal(await repository.changePassword(kept), "changed");
    assert.equal(await hashOfAnn(repository), "new hash");
    await liveSession(repository, "two");
    await liveSession(repository, "bob's");
    for (const token of ["one", "three"]) {
      assert.deepEqual(await checkToken(repository, token), { outcome: "unknown" });
    }
    assert.equal(await repository.checkResetToken(reset), false);
    const another = { passwordHash: "new hash", newPasswordHash: "newer" };
    const anothers = change({ ...another, keptTokenHash: hashOf("bob's") });
    assert.equal(await repository.changePassword(anothers), "changed");
    assert.deepEqual(await checkToken(repository, "two"), { outcome: "unknown" });
    await liveSession(repository, "bob's");
    const user = await repository.findUser({ userId: "ann" });
    assert.equal(user?.updateTime, NOW);
  },

  async "of two changes of one password at once, one is made"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const changes = ["a", "b", "c"].map((newPasswordHash) =>
      repository.changePassword(change({ newPasswordHash })),
    );
    const outcomes = await Promise.all(changes);
    assert.deepEqual(outcomes.sort(), ["changed", "password_changed", "password_changed"]);
    await repository.deactivateUser({ userId: "ann", now: NOW });
    const passwordHash = await hashOfAnn(repository);
    assert.ok(passwordHash);
    assert.equal(await repository.changePassword(change({ passwordHash })), "user_not_active");
    const nobody = change({ userId: "nobody" });
    assert.equal(await repository.changePassword(nobody), "password_changed");
  },

  async "a reset token is made for active users alone"(storage) {
    const repository = await storage.open();
    assert.equal(await repository.saveResetToken(reset), "unknown");
    await register(repository, "ann@example.com", { userId: "ann" });
    assert.equal(await repository.saveResetToken(reset), "user_not_active");
    await repository.activateUser({ userId: "ann", now: NOW });
    assert.equal(await repository.saveResetToken(reset), "saved");
    await repository.deactivateUser({ userId: "ann", now: NOW });
    assert.equal(await repository.saveResetToken(reset), "user_not_active");
  },

  async "a reset token is good once, whoever brings it at the same time"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann", passwordHash: "" });
    await repository.saveResetToken(reset);
    assert.equal(await repository.checkResetToken(reset), true);
    const tries = ["a", "b", "c"].map((passwordHash) =>
      repository.completePasswordReset({ ...completion, passwordHash }),
    );
    const outcomes = await Promise.all(tries);
    assert.deepEqual(outcomes.toSorted(), [false, false, true]);
    const winner = ["a", "b", "c"][outcomes.indexOf(true)];
    assert.equal(await hashOfAnn(repository), winner);
    assert.equal(await repository.checkResetToken(reset), false);
  },

  async "a reset token is over at its expire time"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await repository.saveResetToken(reset);
    const over = { ...completion, now: reset.expireTime };
    assert.equal(await repository.checkResetToken(over), false);
    assert.equal(await repository.completePasswordReset(over), false);
    const inTime = { ...completion, now: over.now - 1 };
    assert.equal(await repository.completePasswordReset(inTime), true);
  },

  async "an older reset token is void, and so is one with another email"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await makeActive(repository, "bob@example.com", { userId: "bob" });
    await repository.saveResetToken({ ...reset, tokenHash: hashOf("older") });
    await repository.saveResetToken(reset);
    const wrong = [
      { ...completion, tokenHash: hashOf("older") },
      { ...completion, tokenHash: hashOf("") },
      { ...completion, emailKey: "bob@example.com" },
      { ...completion, emailKey: "nobody@example.com" },
    ];
    for (const attempt of wrong) {
      assert.equal(await repository.checkResetToken(attempt), false);
      assert.equal(await repository.completePasswordReset(attempt), false);
    }
    assert.equal(await hashOfAnn(repository), "hash");
    assert.equal(await repository.completePasswordReset(completion), true);
  },

  async "a reset ends every session of the user and lifts the lock of the account"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await makeActive(repository, "bob@example.com", { userId: "bob" });
    await signInByPassword(repository, "ann", "one");
    await signInByPassword(repository, "bob", "bob's");
    const tries = ["ann@example.com", "bob@example.com"].map((account) =>
      reservation(account, { accountLimit: 1 }),
    );
    for (const attempt of tries) {
      await repository.reserveAttempt(attempt);
      await repository.failAttempt(attempt.id, { type: "sign_in_failed", time: NOW });
    }
    await repository.saveResetToken(reset);
    await repository.completePasswordReset(completion);
    assert.deepEqual(await checkToken(repository, "one"), { outcome: "unknown" });
    await liveSession(repository, "bob's");
    const outcomes = [];
    for (const { account } of tries) {
      const next = reservation(account, { accountLimit: 1 });
      outcomes.push((await repository.reserveAttempt(next)).outcome);
    }
    assert.deepEqual(outcomes, ["reserved", "locked"]);
  },
};
