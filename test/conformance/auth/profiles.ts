import assert from "node:assert/strict";
import { listEvents } from "./audit.ts";
import type { Cases } from "./cases.ts";
import { makeActive, NOW, register } from "./fixtures.ts";

export const profileCases: Cases = {
  async "a profile is changed field by field, and its attributes as a whole"(storage) {
    const repository = await storage.open();
    const user = await makeActive(repository, "ann@example.com", { userId: "ann" });
    const change = { userId: "ann", now: NOW + 1, maxBytes: 1_000 };
    const first = { firstName: "Ann", picture: "p", attributes: { a: "1", "": "\u{1F600}" } };
    const updated = await repository.updateProfile({ ...change, profile: first });
    const expected = {
      ...user,
      profile: { ...user.profile, ...first },
      updateTime: NOW + 1,
    };
    assert.deepEqual(updated, { outcome: "updated", user: expected });
    assert.deepEqual(await repository.findUser({ userId: "ann" }), expected);
    const second = { picture: "", lastName: "Lee", attributes: { b: "2" } };
    const again = await repository.updateProfile({ ...change, profile: second, now: NOW + 2 });
    assert.equal(again.outcome, "updated");
    assert.deepEqual(again.user.profile, { ...expected.profile, ...second });
    const nobody = await repository.updateProfile({ ...change, userId: "bob", profile: {} });
    assert.deepEqual(nobody, { outcome: "unknown" });
    await register(repository, "carl@example.com", { userId: "carl" });
    for (const userId of ["ann", "carl"]) {
      if (userId === "ann") await repository.deactivateUser({ userId, now: NOW });
      const refused = await repository.updateProfile({ ...change, userId, profile: first });
      assert.deepEqual(refused, { outcome: "user_not_active" });
    }
  },

  async "a profile that grows too large is refused, and nothing changes"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const change = { userId: "ann", now: NOW + 1, maxBytes: 10 };
    const full = { firstName: "12345", attributes: { "\u00e9": "678" } };
    const updated = await repository.updateProfile({ ...change, profile: full });
    assert.equal(updated.outcome, "updated");
    for (const profile of [
      { lastName: "x" },
      { firstName: "123456" },
      { attributes: { key: "1234" } },
    ]) {
      const refused = await repository.updateProfile({ ...change, profile, now: NOW + 2 });
      assert.deepEqual(refused, { outcome: "too_large" });
    }
    assert.deepEqual(await repository.findUser({ userId: "ann" }), updated.user);
  },

  async "the same profile again changes nothing"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const profile = { firstName: "Ann", attributes: { a: "1", b: "2" } };
    const change = { userId: "ann", now: NOW + 1, maxBytes: 1_000, profile };
    const first = await repository.updateProfile(change);
    const attributes = { b: "2", a: "1" };
    const again = { ...change, profile: { ...profile, attributes }, now: NOW + 2 };
    assert.deepEqual(await repository.updateProfile(again), first);
    const events = await listEvents(repository, { userId: "ann" });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["profile_updated", "imported"],
    );
  },
};
