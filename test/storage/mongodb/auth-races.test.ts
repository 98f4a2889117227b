import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AuthRepository, Revocation } from "../../../src/auth/repository.ts";
import { reservation } from "../../conformance/auth/attempts.ts";
import {
  CONFIGURED,
  checkToken,
  email,
  hashOf,
  makeActive,
  NOW,
  passwordSignIn,
  register,
  registration,
  signIn,
  signInByPassword,
  socialSignIn,
  toldAccount,
} from "../../conformance/auth/fixtures.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { openInstances } from "./auth-database.ts";

/*
 * Steps of several instances that race: no memory is shared, and MongoDB alone decides.
 */

/** A case with the repositories of four instances. */
function race(
  name: string,
  run: (instances: readonly [AuthRepository, ...AuthRepository[]]) => Promise<void>,
): void {
  test(name, { skip: withoutMongodb }, async (t: TestContext) => {
    const [first, ...others] = await openInstances(t, 4);
    assert.ok(first);
    await run([first, ...others]);
  });
}

race(
  "no more tries are let in than may fail, whatever instances and addresses they come to",
  async (instances) => {
    const tries = Array.from({ length: 40 }, (_, nth) =>
      reservation(`account ${nth % 5}`, { address: "192.0.2.1", accountLimit: 3, addressLimit: 7 }),
    );
    const outcomes = await Promise.all(
      tries.map((attempt, nth) => instances[nth % instances.length]?.reserveAttempt(attempt)),
    );
    const reserved = tries.filter((_, nth) => outcomes[nth]?.outcome === "reserved");
    assert.equal(reserved.length, 7);
    for (const byAccount of Map.groupBy(reserved, ({ account }) => account).values()) {
      assert.ok(byAccount.length <= 3);
    }
  },
);

race("a reader of revocations misses none, however many instances revoke", async (instances) => {
  const [first] = instances;
  const users = Array.from({ length: 12 }, (_, nth) => `user ${nth}`);
  for (const userId of users) {
    await makeActive(first, `${userId.replace(" ", "")}@example.com`, { userId });
    for (const nth of [1, 2, 3]) await signInByPassword(first, userId, `${userId} ${nth}`);
  }
  let revoking = true;
  const seen: Revocation[] = [];
  const read = async (): Promise<void> => {
    for (let last = false; !last; ) {
      last = !revoking;
      const after = seen.at(-1)?.sequence ?? 0;
      seen.push(...(await first.listRevocations({ after, limit: 5 })));
      if (seen.at(-1)?.sequence !== (await first.lastRevocation())) last = false;
    }
  };
  const reading = read();
  await Promise.all(
    users.map((userId, nth) =>
      instances[nth % instances.length]?.revokeSessions({
        userId,
        sessionIds: undefined,
        now: NOW,
      }),
    ),
  );
  revoking = false;
  await reading;
  assert.deepEqual(
    seen.map(({ sequence }) => sequence),
    Array.from({ length: 36 }, (_, nth) => nth + 1),
  );
});

race("a user who is shut out while sessions open has none left", async (instances) => {
  const [first, second, ...others] = instances;
  await makeActive(first, "ann@example.com", { userId: "ann" });
  const tokens = Array.from({ length: 6 }, (_, nth) => `token ${nth}`);
  await Promise.all([
    ...tokens.map((token, nth) =>
      others[nth % others.length]?.signInByPassword(passwordSignIn("ann", token)),
    ),
    second?.deactivateUser({ userId: "ann", now: NOW }),
  ]);
  await first.activateUser({ userId: "ann", now: NOW });
  const query = { userId: "ann", now: NOW, limit: 100, after: undefined };
  assert.deepEqual((await first.listSessions(query))?.sessions, []);
  for (const token of tokens) {
    assert.deepEqual(await checkToken(first, token), { outcome: "unknown" });
  }
});

race("of two ways to sign in that are taken at once, one stays", async ([first, second, third]) => {
  const { user } = await signIn(first, { account: { provider: "google", socialId: "g" } });
  const { session } = await signIn(first, { account: { provider: "google", socialId: "g" } });
  const vk = toldAccount({ provider: "vk", socialId: "v" });
  await first.linkSocialAccount({ account: vk, sessionId: session.id, now: NOW });
  const outcomes = await Promise.all([
    second?.unlinkSocialAccount({
      userId: user.id,
      provider: "google",
      configured: CONFIGURED,
      now: NOW,
    }),
    third?.unlinkSocialAccount({
      userId: user.id,
      provider: "vk",
      configured: CONFIGURED,
      now: NOW,
    }),
  ]);
  assert.deepEqual(outcomes.map((one) => one?.outcome).sort(), ["last_method", "unlinked"]);
  const left = await first.findUser({ userId: user.id });
  assert.equal(left?.socialAccounts.length, 1);
});

race(
  "one email, registered, imported and told by a provider at once, makes one user",
  async (instances) => {
    const [first, second, third, fourth] = instances;
    const ann = email("ann@example.com");
    const profile = { firstName: "", lastName: "", picture: "", locale: "", attributes: {} };
    const account = { email: ann, emailVerified: true };
    const imported = { userId: "imported", email: ann, profile, passwordHash: "hash" };
    await Promise.all([
      first.registerUser(registration(ann.address)),
      second?.importUsers({ users: [imported], now: NOW }),
      third?.signInSocially(socialSignIn({ account: { ...account, provider: "google" } })),
      fourth?.signInSocially(socialSignIn({ account: { ...account, provider: "vk" } })),
    ]);
    const everyone = {
      limit: 10,
      after: undefined,
      state: undefined,
      emailKeyPrefix: "",
      provider: "",
    };
    const { users } = await first.listUsers(everyone);
    assert.equal(users.length, 1);
    assert.deepEqual(users[0]?.socialAccounts.map(({ provider }) => provider).sort(), [
      "google",
      "vk",
    ]);
  },
);

race("an activation code is good once among instances", async (instances) => {
  const [first] = instances;
  await register(first, "ann@example.com", { codeHash: hashOf("code") });
  const completion = {
    emailKey: "ann@example.com",
    codeHash: hashOf("code"),
    passwordHash: "hash",
    now: NOW,
  };
  const outcomes = await Promise.all(
    instances.map((instance) => instance.completeRegistration(completion)),
  );
  const words = outcomes.map(({ outcome }) => outcome).sort();
  const late = Array.from({ length: 3 }, () => "user_already_active");
  assert.deepEqual(words, ["activated", ...late]);
});

race("texts are kept to the byte, whatever they mean to a database", async ([first]) => {
  const hostile = ["$where", "a.b", "__proto__", "\0", "a\0b", "", "$", "{}", "\u{10ffff}"];
  const attributes = Object.fromEntries(hostile.map((text) => [text, `$${text}`]));
  const texts = { firstName: "$set", lastName: "\0", picture: "$$ROOT", locale: "a.b" };
  for (const userId of hostile.filter((text) => text !== "")) {
    const account = { provider: "vk", socialId: userId };
    await signIn(first, { account, newUserId: userId });
    const change = { userId, profile: { ...texts, attributes }, maxBytes: 10_000, now: NOW };
    const updated = await first.updateProfile(change);
    assert.equal(updated.outcome, "updated");
    const found = await first.findUser({ userId });
    assert.deepEqual(found?.profile, { ...texts, attributes });
    assert.equal(found?.id, userId);
    assert.equal((await signIn(first, { account })).user.id, userId);
    const attempt = reservation(userId, { address: userId });
    assert.deepEqual(await first.reserveAttempt(attempt), { outcome: "reserved" });
  }
});
