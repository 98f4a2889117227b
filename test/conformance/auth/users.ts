import assert from "node:assert/strict";
import { mailAccount } from "../../../src/auth/rules/attempt-limits.ts";
import { reservation } from "./attempts.ts";
import { listEvents } from "./audit.ts";
import type { Cases } from "./cases.ts";
import {
  checkToken,
  DAY,
  email,
  hashOf,
  makeActive,
  NOW,
  register,
  signIn,
  signInWithToken,
} from "./fixtures.ts";

export const userCases: Cases = {
  async "a user is found by id exactly, and by email in any letter case"(storage) {
    const repository = await storage.open();
    const user = await register(repository, "Ann@Example.com", { userId: "Ann-1.x_" });
    assert.equal(user.email, "Ann@Example.com");
    assert.equal(user.state, "pending");
    assert.equal(user.hasPassword, false);
    assert.equal(user.createTime, NOW);
    assert.deepEqual(await repository.findUser({ userId: "Ann-1.x_" }), user);
    assert.deepEqual(await repository.findUser({ emailKey: email("aNN@example.COM").key }), user);
    assert.equal(await repository.findUser({ userId: "ann-1.x_" }), undefined);
    assert.equal(await repository.findUser({ userId: "Ann-1.xx" }), undefined);
    assert.equal(await repository.findUser({ emailKey: email("an@example.com").key }), undefined);
  },

  async "social accounts are listed oldest link first"(storage) {
    const repository = await storage.open();
    const verified = { email: email("ann@example.com"), emailVerified: true };
    const linked = [
      { provider: "vk", socialId: "9", ...verified },
      { provider: "facebook", socialId: "5", ...verified },
      { provider: "google", socialId: "10", ...verified },
    ];
    for (const [minutes, account] of linked.entries()) {
      await signIn(repository, { account, now: NOW + minutes });
    }
    const { user } = await signIn(repository, { account: linked[0] ?? {}, now: NOW + 100 });
    const ids = user.socialAccounts.map(({ provider, socialId }) => `${provider} ${socialId}`);
    assert.deepEqual(ids, ["vk 9", "facebook 5", "google 10"]);
    assert.deepEqual(await repository.findUser({ userId: user.id }), user);
  },

  async "a deactivated user's activation code and reset token are void"(storage) {
    const repository = await storage.open();
    const codeHash = hashOf("code");
    await register(repository, "ann@example.com", { userId: "ann", codeHash });
    await makeActive(repository, "bob@example.com", { userId: "bob" });
    const reset = { emailKey: "bob@example.com", tokenHash: hashOf("reset"), now: NOW };
    await repository.saveResetToken({ ...reset, expireTime: NOW + DAY, mail: undefined });
    for (const userId of ["ann", "bob"]) {
      await repository.deactivateUser({ userId, now: NOW });
      await repository.activateUser({ userId, now: NOW });
    }
    assert.equal(await repository.checkResetToken(reset), false);
    await repository.deactivateUser({ userId: "ann", now: NOW });
    const code = { emailKey: "ann@example.com", codeHash, now: NOW };
    assert.equal(await repository.checkActivationCode(code), "wrong_code");
  },

  async "an activated user has the password and social accounts of before, but no session"(
    storage,
  ) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const account = { email: email("ann@example.com"), emailVerified: true };
    const { user } = await signInWithToken(repository, "token", { account });
    await repository.deactivateUser({ userId: "ann", now: NOW + 1 });
    const activated = await repository.activateUser({ userId: "ann", now: NOW + 2 });
    assert.deepEqual(activated, { ...user, updateTime: NOW + 2 });
    assert.equal(activated?.hasPassword, true);
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "unknown" });
    const again = await repository.activateUser({ userId: "ann", now: NOW + 3 });
    assert.deepEqual(again, activated);
    assert.equal(await repository.activateUser({ userId: "nobody", now: NOW }), undefined);
  },

  async "a pending user who is activated has no code any more"(storage) {
    const repository = await storage.open();
    const codeHash = hashOf("code");
    await register(repository, "ann@example.com", { userId: "ann", codeHash });
    const activated = await repository.activateUser({ userId: "ann", now: NOW + 1 });
    assert.equal(activated?.state, "active");
    assert.equal(activated?.hasPassword, false);
    await repository.deactivateUser({ userId: "ann", now: NOW + 2 });
    const code = { emailKey: "ann@example.com", codeHash, now: NOW };
    assert.equal(await repository.checkActivationCode(code), "wrong_code");
  },

  async "a deleted user leaves nothing but events, and the email can register anew"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const account = { email: email("ann@example.com"), emailVerified: true };
    await signInWithToken(repository, "token", { account });
    const reset = { emailKey: "ann@example.com", tokenHash: hashOf("reset"), now: NOW };
    await repository.saveResetToken({ ...reset, expireTime: NOW + DAY, mail: undefined });
    const tries = ["ann@example.com", mailAccount("ann@example.com"), "ann"].map((tried) =>
      reservation(tried, { accountLimit: 1 }),
    );
    for (const attempt of tries) {
      await repository.reserveAttempt(attempt);
      await repository.failAttempt(attempt.id, { type: "sign_in_failed", time: NOW });
      const again = { ...attempt, id: `${attempt.id} again` };
      assert.equal((await repository.reserveAttempt(again)).outcome, "locked");
    }
    assert.equal(await repository.deleteUser({ userId: "ann", now: NOW }), true);
    for (const attempt of tries) {
      assert.deepEqual(await repository.reserveAttempt(attempt), { outcome: "reserved" });
    }
    assert.equal(await repository.deleteUser({ userId: "ann", now: NOW }), false);
    assert.equal(await repository.findUser({ userId: "ann" }), undefined);
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "unknown" });
    assert.equal(await repository.checkResetToken(reset), false);
    const registered = await register(repository, "ann@example.com", { userId: "ann" });
    assert.deepEqual(registered.socialAccounts, []);
    assert.equal(registered.hasPassword, false);
    const { user } = await signIn(repository, { account: { ...account, emailVerified: false } });
    assert.notEqual(user.id, "ann");
  },

  async "imported users are active, with profile and password hash"(storage) {
    const repository = await storage.open();
    const profile = {
      firstName: "Ann",
      lastName: "Lee",
      picture: "p",
      locale: "de",
      attributes: { team: "blue" },
    };
    const users = [
      { userId: "ann", email: email("Ann@example.com"), profile, passwordHash: "$x$" },
      { userId: "bob", email: email("bob@example.com"), profile, passwordHash: "" },
    ];
    assert.deepEqual(await repository.importUsers({ users, now: NOW }), [true, true]);
    assert.deepEqual(await repository.findUser({ userId: "ann" }), {
      id: "ann",
      email: "Ann@example.com",
      state: "active",
      profile,
      socialAccounts: [],
      hasPassword: true,
      createTime: NOW,
      updateTime: NOW,
    });
    const bob = await repository.findCredentials({ userId: "bob" });
    assert.equal(bob?.passwordHash, "");
    const ann = await repository.findCredentials({ emailKey: "ann@example.com" });
    assert.equal(ann?.passwordHash, "$x$");
  },

  async "an import takes the email or id of a pending user, whose code is void then"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", { userId: "squatter", codeHash: hashOf("1") });
    await register(repository, "bob@example.com", { userId: "bob", codeHash: hashOf("2") });
    const profile = { firstName: "Ann", lastName: "", picture: "", locale: "", attributes: {} };
    const users = [
      { userId: "ann", email: email("ann@example.com"), profile, passwordHash: "hash" },
      { userId: "bob", email: email("robert@example.com"), profile, passwordHash: "hash" },
    ];
    assert.deepEqual(await repository.importUsers({ users, now: NOW }), [true, true]);
    assert.equal(await repository.findUser({ userId: "squatter" }), undefined);
    const ann = await repository.findUser({ emailKey: "ann@example.com" });
    assert.deepEqual([ann?.id, ann?.state, ann?.profile.firstName], ["ann", "active", "Ann"]);
    assert.equal((await repository.findUser({ userId: "bob" }))?.email, "robert@example.com");
    assert.equal(await repository.findUser({ emailKey: "bob@example.com" }), undefined);
    const code = { emailKey: "bob@example.com", codeHash: hashOf("2"), now: NOW };
    assert.equal(await repository.checkActivationCode(code), "wrong_code");
    const events = await listEvents(repository, { userId: "squatter" });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["deleted", "registered"],
    );
  },

  async "an import passes over a user whose email or id is taken, in the same import too"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const profile = { firstName: "x", lastName: "", picture: "", locale: "", attributes: {} };
    const asUser = (userId: string, address: string) => ({
      userId,
      email: email(address),
      profile,
      passwordHash: "hash",
    });
    const users = [
      asUser("ann", "other@example.com"),
      asUser("other", "ANN@example.com"),
      asUser("bob", "bob@example.com"),
      asUser("bob", "bob2@example.com"),
      asUser("bob2", "BOB@example.com"),
      asUser("other", "other@example.com"),
    ];
    const made = await repository.importUsers({ users, now: NOW });
    assert.deepEqual(made, [false, false, true, false, false, true]);
    const ann = await repository.findUser({ userId: "ann" });
    assert.equal(ann?.email, "ann@example.com");
    assert.equal(ann?.profile.firstName, "");
    const atOnce = Array.from({ length: 4 }, (_, nth) =>
      repository.importUsers({ users: [asUser(`c${nth}`, "carl@example.com")], now: NOW }),
    );
    assert.equal((await Promise.all(atOnce)).flat().filter(Boolean).length, 1);
  },

  async "a deactivated user has no session left"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "one");
    await signInWithToken(repository, "two");
    await signInWithToken(repository, "another's", { account: { socialId: "2" } });
    const deactivated = await repository.deactivateUser({ userId: user.id, now: NOW + 1 });
    assert.equal(deactivated?.state, "deactivated");
    assert.equal(deactivated?.updateTime, NOW + 1);
    for (const token of ["one", "two"]) {
      const check = await checkToken(repository, token);
      assert.notEqual(check.outcome, "live");
    }
    assert.equal((await checkToken(repository, "another's")).outcome, "live");
    const again = await repository.deactivateUser({ userId: user.id, now: NOW + 2 });
    assert.deepEqual(again, deactivated);
    assert.equal(await repository.deactivateUser({ userId: "nobody", now: NOW }), undefined);
  },
};
