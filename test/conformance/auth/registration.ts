import assert from "node:assert/strict";
import type { Cases } from "./cases.ts";
import { DAY, email, hashOf, NOW, register, registration, signIn } from "./fixtures.ts";

const code = { emailKey: "ann@example.com", codeHash: hashOf("code"), now: NOW };
const completion = { ...code, passwordHash: "hash" };

export const registrationCases: Cases = {
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

  async "registrations of one email at once make one user, and the last code is good"(storage) {
    const repository = await storage.open();
    const codes = Array.from({ length: 8 }, (_, nth) => hashOf(`code ${nth}`));
    const users = await Promise.all(
      codes.map((codeHash, nth) =>
        register(repository, nth % 2 === 0 ? "ann@example.com" : "ANN@example.com", { codeHash }),
      ),
    );
    assert.equal(new Set(users.map(({ id }) => id)).size, 1);
    const checks = codes.map((codeHash) => repository.checkActivationCode({ ...code, codeHash }));
    const good = (await Promise.all(checks)).filter((outcome) => outcome === "good");
    assert.equal(good.length, 1);
  },

  async "an activation code is good once, whoever brings it at the same time"(storage) {
    const repository = await storage.open();
    const pending = await register(repository, "Ann@example.com", code);
    assert.equal(await repository.checkActivationCode(code), "good");
    const later = { ...completion, now: NOW + 1 };
    const tries = Array.from({ length: 8 }, () => repository.completeRegistration(later));
    const outcomes = await Promise.all(tries);
    const activated = outcomes.filter(({ outcome }) => outcome === "activated");
    const user = { ...pending, state: "active", hasPassword: true, updateTime: NOW + 1 };
    assert.deepEqual(activated, [{ outcome: "activated", user }]);
    const refused = outcomes.filter(({ outcome }) => outcome === "user_already_active");
    assert.equal(refused.length, 7);
    const credentials = await repository.findCredentials({ userId: pending.id });
    assert.equal(credentials?.passwordHash, "hash");
  },

  async "an activation code is over at its expire time"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", code);
    const over = { ...completion, now: NOW + DAY };
    assert.equal(await repository.checkActivationCode(over), "wrong_code");
    assert.deepEqual(await repository.completeRegistration(over), { outcome: "wrong_code" });
    const inTime = { ...completion, now: over.now - 1 };
    assert.equal((await repository.completeRegistration(inTime)).outcome, "activated");
  },

  async "an older activation code is void, and so is one with another email"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", { codeHash: hashOf("older") });
    await register(repository, "ann@example.com", code);
    await register(repository, "bob@example.com", { codeHash: hashOf("bob's") });
    const wrong = [
      { ...completion, codeHash: hashOf("older") },
      { ...completion, codeHash: hashOf("bob's") },
      { ...completion, codeHash: hashOf("") },
      { ...completion, codeHash: hashOf("code").subarray(1) },
      { ...completion, emailKey: "bob@example.com" },
      { ...completion, emailKey: "nobody@example.com" },
    ];
    for (const attempt of wrong) {
      assert.equal(await repository.checkActivationCode(attempt), "wrong_code");
      assert.deepEqual(await repository.completeRegistration(attempt), { outcome: "wrong_code" });
    }
    assert.equal(await repository.checkActivationCode(code), "good");
    const users = await repository.findUser({ emailKey: "ann@example.com" });
    assert.equal(users?.state, "pending");
  },

  async "a user who is active already is told so, whatever the code"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", code);
    await repository.completeRegistration(completion);
    for (const codeHash of [code.codeHash, hashOf("other")]) {
      const again = { ...completion, codeHash, passwordHash: "another" };
      assert.equal(await repository.checkActivationCode(again), "user_already_active");
      const outcome = await repository.completeRegistration(again);
      assert.deepEqual(outcome, { outcome: "user_already_active" });
    }
    const credentials = await repository.findCredentials({ emailKey: code.emailKey });
    assert.equal(credentials?.passwordHash, "hash");
  },
};
