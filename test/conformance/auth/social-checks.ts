import assert from "node:assert/strict";
import type { AuthRepository, DueAccount, SocialCheck } from "../../../src/auth/repository.ts";
import type { Cases } from "../cases.ts";
import {
  checkToken,
  DAY,
  dueAt,
  email,
  liveSession,
  makeActive,
  NOW,
  signIn,
  signInByPassword,
  signInWithToken,
} from "./fixtures.ts";

const account: DueAccount = { provider: "facebook", socialId: "1", sealedCredentials: "first" };

const profile = { firstName: "Ann", lastName: "", picture: "https://p", locale: "" };

function answer(given: Partial<SocialCheck> = {}): SocialCheck {
  return {
    account,
    sealedCredentials: "second",
    confirmed: true,
    told: { email: undefined, emailVerified: false, profile },
    now: NOW + DAY,
    ...given,
  };
}

export const socialCheckCases: Cases<AuthRepository> = {
  async "what a provider tells when asked again is kept, and what it leaves out stays"(storage) {
    const repository = await storage.open();
    const told = { email: email("old@example.com"), emailVerified: false };
    const before = await signInWithToken(repository, "token", {
      account: { ...account, ...told },
      profile: { firstName: "Anna", lastName: "Lee" },
    });
    const user = await repository.keepSocialCheck(answer());
    assert.equal(user?.id, before.user.id);
    assert.equal(user?.profile.firstName, "Ann");
    assert.equal(user?.profile.lastName, "Lee");
    assert.equal(user?.profile.picture, "https://p");
    assert.equal(user?.socialAccounts[0]?.email, "old@example.com");
    assert.equal(user?.updateTime, NOW + DAY);
    const verified = { email: email("new@example.com"), emailVerified: true, profile };
    const second = { ...account, sealedCredentials: "second" };
    const given = answer({ account: second, told: verified, now: NOW + 2 * DAY });
    const now = await repository.keepSocialCheck(given);
    assert.equal(now?.socialAccounts[0]?.email, "new@example.com");
    assert.equal(now?.socialAccounts[0]?.emailVerified, true);
    assert.equal(now?.email, "new@example.com");
    assert.deepEqual(await repository.findUser({ userId: before.user.id }), now);
  },

  async "an account is due again only long after it was confirmed"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token", { account });
    assert.deepEqual(await dueAt(repository, "token", NOW + DAY), account);
    await repository.keepSocialCheck(answer({ told: undefined }));
    assert.equal(await dueAt(repository, "token", NOW + 2 * DAY - 1), undefined);
    const second = { ...account, sealedCredentials: "second" };
    assert.deepEqual(await dueAt(repository, "token", NOW + 2 * DAY), second);
  },

  async "credentials are kept without a confirmation too, and the account stays due"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "token", { account });
    assert.deepEqual(await dueAt(repository, "token", NOW + DAY), account);
    const given = answer({ told: undefined, confirmed: false });
    assert.deepEqual(await repository.keepSocialCheck(given), user);
    const second = { ...account, sealedCredentials: "second" };
    assert.deepEqual(await dueAt(repository, "token", NOW + DAY + 1), second);
  },

  async "what a provider told is dropped where the user signed in meanwhile"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token", { account });
    const again = { ...account, sealedCredentials: "fresh" };
    const { user } = await signIn(repository, { account: again });
    assert.equal(await repository.keepSocialCheck(answer()), undefined);
    assert.deepEqual(await repository.findUser({ userId: user.id }), user);
    assert.deepEqual(await dueAt(repository, "token", NOW + DAY), again);
    const unknown = answer({ account: { ...account, socialId: "unknown" } });
    assert.equal(await repository.keepSocialCheck(unknown), undefined);
  },

  async "consent that is withdrawn ends the sessions opened through the account, and no others"(
    storage,
  ) {
    const repository = await storage.open();
    const mail = { email: email("ann@example.com"), emailVerified: true };
    const { id: userId } = await makeActive(repository, "ann@example.com");
    for (const id of ["one", "two"]) {
      const given = { account: { ...account, ...mail }, session: { id } };
      await signInWithToken(repository, id, given);
    }
    const other = { ...mail, provider: "facebook", socialId: "2" };
    await signInWithToken(repository, "other account", { account: other });
    await signInByPassword(repository, userId, "by password");
    assert.equal(await repository.withdrawConsent({ ...account, now: NOW }), true);
    for (const token of ["one", "two"]) {
      assert.deepEqual(await checkToken(repository, token), { outcome: "unknown" });
    }
    for (const token of ["other account", "by password"]) await liveSession(repository, token);
    const revoked = await repository.listRevocations({ after: 0, limit: 10 });
    assert.deepEqual(revoked.map(({ sessionId }) => sessionId).sort(), ["one", "two"]);
    const { user } = await signIn(repository, { account });
    assert.equal(user.id, userId);
  },

  async "consent that was given again meanwhile is not withdrawn"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token", { account });
    await signIn(repository, { account: { ...account, sealedCredentials: "fresh" } });
    assert.equal(await repository.withdrawConsent({ ...account, now: NOW }), false);
    await liveSession(repository, "token");
    const unknown = { ...account, socialId: "unknown", now: NOW };
    assert.equal(await repository.withdrawConsent(unknown), false);
  },
};
