import assert from "node:assert/strict";
import type { Cases } from "./cases.ts";
import {
  checkToken,
  email,
  NOW,
  register,
  registration,
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
      { provider: "facebook", socialId: "10", ...verified },
    ];
    for (const [minutes, account] of linked.entries()) {
      await signIn(repository, { account, now: NOW + minutes });
    }
    const { user } = await signIn(repository, { account: linked[0] ?? {}, now: NOW + 100 });
    const ids = user.socialAccounts.map(({ provider, socialId }) => `${provider} ${socialId}`);
    assert.deepEqual(ids, ["vk 9", "facebook 5", "facebook 10"]);
    assert.deepEqual(await repository.findUser({ userId: user.id }), user);
  },

  async "a pending user registers again under the same id"(storage) {
    const repository = await storage.open();
    const first = await register(repository, "ann@example.com");
    const again = await register(repository, "ANN@example.com", { now: NOW + 1 });
    assert.equal(again.id, first.id);
    assert.equal(again.email, "ann@example.com");
    const byItsId = await register(repository, "ann@example.com", { userId: first.id });
    assert.equal(byItsId.id, first.id);
  },

  async "an email or id of another user is not given twice"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", { userId: "ann" });
    const verified = { email: email("bob@example.com"), emailVerified: true };
    const { user: bob } = await signIn(repository, { account: verified });
    const refused = [
      registration("ann@example.com", { userId: "other" }),
      registration("carl@example.com", { userId: "ann" }),
      registration("carl@example.com", { userId: bob.id }),
      registration("BOB@example.com"),
      registration("bob@example.com", { userId: bob.id }),
    ];
    for (const asked of refused) {
      assert.deepEqual(await repository.registerUser(asked), { outcome: "user_exists" });
    }
    assert.equal(await repository.findUser({ emailKey: email("carl@example.com").key }), undefined);
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
