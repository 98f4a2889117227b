import assert from "node:assert/strict";
import { LARGEST_PROFILE } from "../../../src/auth/rules/profiles.ts";
import type { Cases } from "./cases.ts";
import {
  checkToken,
  DAY,
  dueAt,
  email,
  hashOf,
  NOW,
  register,
  type SignInGiven,
  signIn,
  signInWithToken,
  socialSignIn,
} from "./fixtures.ts";

const ann = email("ann@example.com");

function verified(address: string, socialId: string): SignInGiven {
  return { account: { socialId, email: email(address), emailVerified: true } };
}

export const socialSignInCases: Cases = {
  async "an unknown social account makes an active user"(storage) {
    const repository = await storage.open();
    const { user, created } = await signIn(repository, {
      newUserId: "new",
      account: { socialId: "77", email: ann, emailVerified: true },
      profile: { firstName: "Ann", lastName: "Lee", picture: "https://p", locale: "de" },
    });
    assert.equal(created, true);
    assert.deepEqual(user, {
      id: "new",
      email: "ann@example.com",
      state: "active",
      profile: {
        firstName: "Ann",
        lastName: "Lee",
        picture: "https://p",
        locale: "de",
        attributes: {},
      },
      socialAccounts: [
        {
          provider: "facebook",
          socialId: "77",
          email: "ann@example.com",
          emailVerified: true,
          linkTime: NOW,
        },
      ],
      hasPassword: false,
      createTime: NOW,
      updateTime: NOW,
    });
    assert.deepEqual(await repository.findUser({ userId: "new" }), user);
  },

  async "a verified email does not join a user who has another account at the provider"(storage) {
    const repository = await storage.open();
    const first = await signIn(repository, verified("ann@example.com", "1"));
    const second = await signIn(repository, verified("ann@example.com", "2"));
    assert.notEqual(second.user.id, first.user.id);
    assert.equal(second.created, true);
    assert.equal(second.user.email, "");
    // Another provider that vouches for the email still joins.
    const google = { provider: "google", socialId: "g", email: ann, emailVerified: true };
    const third = await signIn(repository, { account: google });
    assert.equal(third.user.id, first.user.id);
  },

  async "credentials without a refresh token keep the one of before"(storage) {
    const repository = await storage.open();
    const account = { socialId: "1", sealedCredentials: "old" };
    await signIn(repository, { account });
    const completedBy = (before: string): string => `${before}+new`;
    await signIn(repository, { account: { ...account, sealedCredentials: "new", completedBy } });
    const { session } = await signInWithToken(repository, "t", {
      account: { ...account, sealedCredentials: "whole" },
    });
    assert.ok(session);
    await signIn(repository, { account: { ...account, sealedCredentials: "new", completedBy } });
    const due = await dueAt(repository, "t", NOW + DAY);
    assert.equal(due?.sealedCredentials, "whole+new");
    // A first sign-in has nothing to complete.
    const fresh = { socialId: "2", sealedCredentials: "first", completedBy };
    await signInWithToken(repository, "u", { account: fresh });
    assert.equal((await dueAt(repository, "u", NOW + DAY))?.sealedCredentials, "first");
  },

  async "a known social account signs its user in, whatever its email is now"(storage) {
    const repository = await storage.open();
    const first = await signIn(repository, verified("ann@example.com", "1"));
    await signIn(repository, verified("bob@example.com", "2"));
    const again = await signIn(repository, { ...verified("bob@example.com", "1"), now: NOW + 5 });
    assert.equal(again.created, false);
    assert.equal(again.user.id, first.user.id);
    assert.equal(again.user.email, "ann@example.com");
    assert.equal(again.user.updateTime, NOW + 5);
    assert.equal(again.user.socialAccounts[0]?.email, "bob@example.com");
    assert.equal(again.user.socialAccounts[0]?.linkTime, NOW);
    const same = await signIn(repository, { ...verified("bob@example.com", "1"), now: NOW + 9 });
    assert.deepEqual(same.user, again.user);
  },

  async "social ids are told apart to the digit, by letter case and by provider"(storage) {
    const repository = await storage.open();
    const accounts = [
      { socialId: "90071992547409931234" },
      { socialId: "90071992547409931235" },
      { socialId: "0123" },
      { socialId: "123" },
      { socialId: "abc" },
      { socialId: "ABC" },
      { socialId: "abc " },
      { socialId: "abc%" },
      { socialId: "\u00e9" },
      { socialId: "e\u0301" },
      { socialId: "abc", provider: "Facebook" },
      { socialId: "abc", provider: "google" },
    ];
    const users = [];
    for (const account of accounts) users.push((await signIn(repository, { account })).user.id);
    assert.equal(new Set(users).size, accounts.length);
    for (const [nth, account] of accounts.entries()) {
      const { user } = await signIn(repository, { account });
      assert.equal(user.id, users[nth]);
      assert.equal(user.socialAccounts[0]?.socialId, account.socialId);
    }
  },

  async "an unverified email stays on the social account and is never the user's own"(storage) {
    const repository = await storage.open();
    const owner = await signIn(repository, verified("ann@example.com", "1"));
    const account = { socialId: "2", email: ann };
    const { user, created } = await signIn(repository, { account });
    assert.equal(created, true);
    assert.equal(user.email, "");
    assert.equal(user.socialAccounts[0]?.email, "ann@example.com");
    assert.equal(user.socialAccounts[0]?.emailVerified, false);
    const alone = { socialId: "3", email: email("carl@example.com") };
    const { user: carl } = await signIn(repository, { account: alone });
    assert.equal(carl.email, "");
    const found = await repository.findUser({ emailKey: ann.key });
    assert.equal(found?.id, owner.user.id);
    const pending = await register(repository, "dora@example.com");
    await signIn(repository, { account: { socialId: "4", email: email("dora@example.com") } });
    const dora = await repository.findUser({ userId: pending.id });
    assert.equal(dora?.state, "pending");
  },

  async "a verified email links the account to the active user who has it, in any letter case"(
    storage,
  ) {
    const repository = await storage.open();
    const first = await signIn(repository, verified("ann@example.com", "1"));
    const linked = await signIn(repository, {
      account: {
        provider: "google",
        socialId: "g",
        email: email("ANN@Example.COM"),
        emailVerified: true,
      },
      now: NOW + 5,
    });
    assert.equal(linked.created, false);
    assert.equal(linked.user.id, first.user.id);
    assert.equal(linked.user.email, "ann@example.com");
    assert.equal(linked.user.updateTime, NOW + 5);
    assert.equal(linked.user.socialAccounts.length, 2);
    assert.equal(linked.session.provider, "google");
  },

  async "a verified email activates the pending user who has it, who then has no password"(
    storage,
  ) {
    const repository = await storage.open();
    const pending = await register(repository, "ann@example.com", { userId: "chosen" });
    assert.equal(pending.state, "pending");
    const signedIn = await signIn(repository, {
      ...verified("Ann@example.com", "1"),
      now: NOW + 5,
    });
    assert.equal(signedIn.created, false);
    assert.equal(signedIn.user.id, "chosen");
    assert.equal(signedIn.user.state, "active");
    assert.equal(signedIn.user.hasPassword, false);
    assert.equal(signedIn.user.updateTime, NOW + 5);
  },

  async "a deactivated user stays so, by account and by email alike, and nothing changes"(storage) {
    const repository = await storage.open();
    const { user } = await signIn(repository, verified("ann@example.com", "1"));
    await repository.deactivateUser({ userId: user.id, now: NOW });
    const before = await repository.findUser({ userId: user.id });
    const byAccount = { ...verified("new@example.com", "1"), profile: { firstName: "New" } };
    const byEmail = { ...verified("ann@example.com", "2"), profile: { firstName: "New" } };
    for (const [nth, given] of [byAccount, byEmail].entries()) {
      const session = { tokenHash: hashOf(`token ${nth}`) };
      const attempt = socialSignIn({ ...given, session, now: NOW + 5 });
      const outcome = await repository.signInSocially(attempt);
      assert.deepEqual(outcome, { outcome: "user_not_active", userId: user.id });
      assert.deepEqual(await checkToken(repository, `token ${nth}`), { outcome: "unknown" });
      assert.equal(await repository.findUser({ userId: attempt.newUserId }), undefined);
    }
    assert.deepEqual(await repository.findUser({ userId: user.id }), before);
  },

  async "a user without an email gets a verified one, unless another user has it"(storage) {
    const repository = await storage.open();
    const without = await signIn(repository, { account: { socialId: "1" } });
    const given = await signIn(repository, verified("ann@example.com", "1"));
    assert.equal(given.user.id, without.user.id);
    assert.equal(given.user.email, "ann@example.com");
    const second = await signIn(repository, { account: { socialId: "2" } });
    const refused = await signIn(repository, verified("ANN@example.com", "2"));
    assert.equal(refused.user.id, second.user.id);
    assert.equal(refused.user.email, "");
    assert.equal(refused.user.socialAccounts[0]?.email, "ANN@example.com");
  },

  async "what the provider tells replaces the profile, and what it leaves empty does not"(storage) {
    const repository = await storage.open();
    await signIn(repository, { profile: { firstName: "Ann", lastName: "Lee", locale: "de" } });
    const renamed = await signIn(repository, {
      profile: { lastName: "Kim", picture: "https://p" },
      now: NOW + 5,
    });
    const { attributes, ...profile } = renamed.user.profile;
    assert.deepEqual(profile, {
      firstName: "Ann",
      lastName: "Kim",
      picture: "https://p",
      locale: "de",
    });
    assert.deepEqual(attributes, {});
    assert.equal(renamed.user.updateTime, NOW + 5);
    const same = await signIn(repository, { profile: { lastName: "Kim" }, now: NOW + 9 });
    assert.equal(same.user.updateTime, NOW + 5);
  },

  async "what the provider tells never makes a profile larger than it may be"(storage) {
    const repository = await storage.open();
    const { user } = await signIn(repository, { profile: { firstName: "Ann" } });
    const attributes = { a: "x".repeat(LARGEST_PROFILE - 8) };
    const change = { userId: user.id, profile: { attributes }, maxBytes: LARGEST_PROFILE };
    await repository.updateProfile({ ...change, now: NOW });
    // There is room for four bytes more.
    const told = { firstName: "Annabell", lastName: "\u00e9\u00e9\u00e9", locale: "de" };
    const { user: after } = await signIn(repository, { profile: told, now: NOW + 1 });
    const stays = { firstName: "Ann", lastName: "", picture: "", attributes };
    assert.deepEqual(after.profile, { ...stays, locale: "de" });
    const account = { provider: "facebook", socialId: "1", sealedCredentials: "sealed" };
    const checked = await repository.keepSocialCheck({
      account,
      sealedCredentials: "sealed",
      confirmed: true,
      told: {
        email: undefined,
        emailVerified: false,
        profile: { ...told, picture: "https://p", locale: "deu" },
      },
      now: NOW + 2,
    });
    assert.deepEqual(checked?.profile, { ...stays, locale: "deu" });
  },

  async "sign-ins of one new social account at once make one user"(storage) {
    const repository = await storage.open();
    const signIns = Array.from({ length: 8 }, () => signIn(repository));
    const answers = await Promise.all(signIns);
    assert.equal(new Set(answers.map(({ user }) => user.id)).size, 1);
    assert.equal(new Set(answers.map(({ session }) => session.id)).size, 8);
    assert.equal(answers.filter(({ created }) => created).length, 1);
    assert.equal(answers[0]?.user.socialAccounts.length, 1);
  },

  async "sign-ins with one verified email at once make one user"(storage) {
    const repository = await storage.open();
    const signIns = Array.from({ length: 8 }, (_, nth) =>
      signIn(repository, {
        account: {
          provider: `provider ${nth}`,
          socialId: `${nth}`,
          email: email(nth % 2 === 0 ? "ann@example.com" : "ANN@example.com"),
          emailVerified: true,
        },
      }),
    );
    const answers = await Promise.all(signIns);
    assert.equal(new Set(answers.map(({ user }) => user.id)).size, 1);
    assert.equal(answers.filter(({ created }) => created).length, 1);
    const user = await repository.findUser({ emailKey: ann.key });
    assert.equal(user?.socialAccounts.length, 8);
  },

  async "user, social account and session are stored together or not at all"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "taken");
    const attempt = socialSignIn({
      ...verified("bob@example.com", "2"),
      session: { tokenHash: hashOf("taken") },
    });
    await assert.rejects(repository.signInSocially(attempt));
    assert.equal(await repository.findUser({ userId: attempt.newUserId }), undefined);
    await storage.close();
    const reopened = await storage.open();
    assert.equal(await reopened.findUser({ userId: attempt.newUserId }), undefined);
    const { created } = await signIn(reopened, verified("bob@example.com", "2"));
    assert.equal(created, true);
  },
};
