import assert from "node:assert/strict";
import type { AuthRepository, ToldAccount } from "../../../src/auth/repository.ts";
import type { Cases } from "../cases.ts";
import {
  CONFIGURED,
  checkToken,
  DAY,
  email,
  hashOf,
  liveSession,
  MINUTE,
  makeActive,
  NOW,
  SESSION_LIFE,
  signIn,
  signInByPassword,
  signInWithToken,
  toldAccount,
} from "./fixtures.ts";

/** An active user with a password and a session whose id is the user's. */
async function signedIn(repository: AuthRepository, userId: string): Promise<void> {
  await makeActive(repository, `${userId}@example.com`, { userId });
  const rest = { device: "", address: "", expireTime: NOW + SESSION_LIFE, mostOfUser: 100 };
  const session = { id: userId, tokenHash: hashOf(userId), ...rest };
  await signInByPassword(repository, userId, userId, { session });
}

function link(repository: AuthRepository, sessionId: string, given: Partial<ToldAccount> = {}) {
  return repository.linkSocialAccount({ account: toldAccount(given), sessionId, now: NOW + 5 });
}

export const socialLinkCases: Cases<AuthRepository> = {
  async "a linked social account signs its user in"(storage) {
    const repository = await storage.open();
    await signedIn(repository, "ann");
    const told = { email: email("other@example.com"), emailVerified: true };
    const outcome = await link(repository, "ann", told);
    assert.equal(outcome.outcome, "linked");
    const { user } = outcome;
    assert.equal(user.email, "ann@example.com");
    assert.equal(user.updateTime, NOW + 5);
    assert.deepEqual(user.socialAccounts, [
      {
        provider: "google",
        socialId: "g",
        email: "other@example.com",
        emailVerified: true,
        linkTime: NOW + 5,
      },
    ]);
    const again = await signIn(repository, { account: toldAccount(told) });
    assert.equal(again.created, false);
    assert.equal(again.user.id, "ann");
    const events = await repository.listEvents({
      limit: 10,
      after: undefined,
      userId: "ann",
      startTime: NOW + 5,
      endTime: undefined,
    });
    const [event] = events;
    assert.equal(event?.type, "social_account_linked");
    assert.equal(event?.sessionId, "ann");
    assert.equal(event?.provider, "google");
  },

  async "a social account that the user has already is brought up to date"(storage) {
    const repository = await storage.open();
    const account = toldAccount({ email: email("old@example.com") });
    const given = { account, newUserId: "ann", session: { id: "s" } };
    const { user: before } = await signInWithToken(repository, "token", given);
    const now = { email: email("new@example.com"), emailVerified: true, sealedCredentials: "new" };
    const outcome = await link(repository, "s", now);
    assert.equal(outcome.outcome, "linked");
    assert.equal(outcome.user.socialAccounts.length, 1);
    assert.equal(outcome.user.socialAccounts[0]?.email, "new@example.com");
    assert.equal(outcome.user.socialAccounts[0]?.linkTime, NOW);
    assert.equal(before.email, "");
    assert.equal(outcome.user.email, "new@example.com");
    const ask = { confirmedUntil: NOW + DAY, askedUntil: NOW + DAY };
    const check = await checkToken(repository, "token", { now: NOW + DAY, ask });
    assert.equal(check.outcome === "live" && check.dueAccount?.sealedCredentials, "new");
  },

  async "a social account of another user is not linked, and nothing changes"(storage) {
    const repository = await storage.open();
    await signedIn(repository, "ann");
    const { user: owner } = await signIn(repository, { account: toldAccount() });
    const before = await repository.findUser({ userId: "ann" });
    const told = { email: email("new@example.com"), emailVerified: true };
    assert.deepEqual(await link(repository, "ann", told), { outcome: "in_use" });
    assert.deepEqual(await repository.findUser({ userId: "ann" }), before);
    assert.deepEqual(await repository.findUser({ userId: owner.id }), owner);
  },

  async "two users who link one social account at once: one gets it"(storage) {
    const repository = await storage.open();
    const userIds = ["ann", "bob", "carl", "dora"];
    for (const userId of userIds) await signedIn(repository, userId);
    const outcomes = await Promise.all(userIds.map((id) => link(repository, id)));
    const kinds = outcomes.map(({ outcome }) => outcome).sort();
    assert.deepEqual(kinds, ["in_use", "in_use", "in_use", "linked"]);
  },

  async "no social account is linked once the session is over"(storage) {
    const repository = await storage.open();
    await signedIn(repository, "ann");
    await signedIn(repository, "bob");
    await repository.endSession({ tokenHash: hashOf("ann"), now: NOW });
    await repository.deactivateUser({ userId: "bob", now: NOW });
    for (const id of ["ann", "bob", "nobody"]) {
      assert.deepEqual(await link(repository, id), { outcome: "session_over" });
    }
    await signedIn(repository, "carl");
    const now = NOW + SESSION_LIFE;
    const late = { account: toldAccount(), sessionId: "carl", now };
    assert.deepEqual(await repository.linkSocialAccount(late), { outcome: "session_over" });
    const { created } = await signIn(repository, { account: toldAccount() });
    assert.equal(created, true);
  },

  async "an unlinked social account is nobody's, and the sessions opened through it are over"(
    storage,
  ) {
    const repository = await storage.open();
    await signedIn(repository, "ann");
    await link(repository, "ann", { socialId: "g1" });
    await link(repository, "ann", { socialId: "g2" });
    await link(repository, "ann", { provider: "facebook", socialId: "f" });
    for (const socialId of ["g1", "g2"]) {
      const account = toldAccount({ socialId });
      await signInWithToken(repository, socialId, { account, session: { id: socialId } });
    }
    const facebook = { provider: "facebook", socialId: "f" };
    await signInWithToken(repository, "facebook", { account: facebook });
    const revokedBefore = await repository.lastRevocation();
    const request = {
      userId: "ann",
      provider: "google",
      configured: CONFIGURED,
      now: NOW + MINUTE,
    };
    const outcome = await repository.unlinkSocialAccount(request);
    assert.equal(outcome.outcome, "unlinked");
    assert.equal(outcome.user.updateTime, NOW + MINUTE);
    const left = outcome.user.socialAccounts.map(({ provider }) => provider);
    assert.deepEqual(left, ["facebook"]);
    for (const token of ["g1", "g2"]) {
      assert.deepEqual(await checkToken(repository, token), { outcome: "unknown" });
    }
    for (const token of ["ann", "facebook"]) await liveSession(repository, token);
    const after = { after: revokedBefore, limit: 10 };
    const revoked = (await repository.listRevocations(after)).map(({ sessionId }) => sessionId);
    assert.deepEqual(revoked.sort(), ["g1", "g2"]);
    const { created } = await signIn(repository, { account: toldAccount({ socialId: "g1" }) });
    assert.equal(created, true);
  },

  async "the last way to sign in is not taken"(storage) {
    const repository = await storage.open();
    const google = toldAccount();
    const { user } = await signInWithToken(repository, "token", { account: google });
    await signInWithToken(repository, "s", { account: google, session: { id: "s" } });
    await link(repository, "s", { socialId: "g2" });
    const request = { userId: user.id, provider: "google", configured: CONFIGURED, now: NOW };
    const refused = await repository.unlinkSocialAccount(request);
    assert.deepEqual(refused, { outcome: "last_method" });
    await liveSession(repository, "token");
    await link(repository, "s", { provider: "facebook" });
    const unlinked = await repository.unlinkSocialAccount(request);
    assert.equal(unlinked.outcome, "unlinked");
    const last = await repository.unlinkSocialAccount({ ...request, provider: "facebook" });
    assert.deepEqual(last, { outcome: "last_method" });
    await signedIn(repository, "bob");
    await link(repository, "bob", { socialId: "b" });
    const byPassword = await repository.unlinkSocialAccount({ ...request, userId: "bob" });
    assert.equal(byPassword.outcome, "unlinked");
  },

  async "an account at a provider that is not configured is no way to sign in"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "token", { account: toldAccount() });
    await signInWithToken(repository, "s", { account: toldAccount(), session: { id: "s" } });
    await link(repository, "s", { provider: "vk", socialId: "v" });
    const request = { userId: user.id, provider: toldAccount().provider, now: NOW };
    const configured = new Set([request.provider]);
    const refused = await repository.unlinkSocialAccount({ ...request, configured });
    assert.deepEqual(refused, { outcome: "last_method" });
    const unlinked = await repository.unlinkSocialAccount({ ...request, configured: CONFIGURED });
    assert.equal(unlinked.outcome, "unlinked");
  },

  async "a user without an account at the provider stays as before"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "token");
    for (const provider of ["google", "Facebook", "unheard of"]) {
      const request = { userId: user.id, provider, configured: CONFIGURED, now: NOW + 5 };
      const outcome = await repository.unlinkSocialAccount(request);
      assert.deepEqual(outcome, { outcome: "unlinked", user });
    }
    await liveSession(repository, "token");
    const nobody = {
      userId: "nobody",
      provider: "facebook",
      configured: CONFIGURED,
      now: NOW,
    };
    assert.deepEqual(await repository.unlinkSocialAccount(nobody), { outcome: "unknown" });
  },
};
