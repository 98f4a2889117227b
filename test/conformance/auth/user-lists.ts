import assert from "node:assert/strict";
import type { AuthRepository, User, UserQuery } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import { email, makeActive, NOW, register, signIn } from "./fixtures.ts";

const everyone: UserQuery = {
  limit: 1_000,
  after: undefined,
  state: undefined,
  emailKeyPrefix: "",
  provider: "",
};

async function listUsers(
  repository: AuthRepository,
  given: Partial<UserQuery>,
): Promise<readonly User[]> {
  const { users, next } = await repository.listUsers({ ...everyone, ...given });
  assert.equal(next, undefined);
  return users;
}

export const userListCases: Cases = {
  async "users are filtered by state, by email prefix and by provider, and by all of them at once"(
    storage,
  ) {
    const repository = await storage.open();
    await register(repository, "pending@example.com", { userId: "p" });
    await makeActive(repository, "Ann@example.com", { userId: "ann" });
    await makeActive(repository, "an_n@example.com", { userId: "an_n" });
    await makeActive(repository, "an%@example.com", { userId: "percent" });
    await signIn(repository, { account: { provider: "vk", socialId: "1" }, newUserId: "v" });
    const annAtVk = { provider: "vk", email: email("ann@example.com"), emailVerified: true };
    await signIn(repository, { account: { ...annAtVk, socialId: "2" } });
    const annAtGoogle = { ...annAtVk, provider: "google", socialId: "3" };
    await signIn(repository, { account: annAtGoogle });
    await makeActive(repository, "anna@example.com", { userId: "anna" });
    await repository.deactivateUser({ userId: "anna", now: NOW });
    const list = async (given: Partial<UserQuery>): Promise<string[]> =>
      (await listUsers(repository, given)).map(({ id }) => id).sort();
    assert.deepEqual(await list({}), ["an_n", "ann", "anna", "p", "percent", "v"]);
    assert.deepEqual(await list({ state: "pending" }), ["p"]);
    assert.deepEqual(await list({ state: "deactivated" }), ["anna"]);
    assert.deepEqual(await list({ emailKeyPrefix: "ann" }), ["ann", "anna"]);
    assert.deepEqual(await list({ emailKeyPrefix: "an_" }), ["an_n"]);
    assert.deepEqual(await list({ emailKeyPrefix: "an%" }), ["percent"]);
    assert.deepEqual(await list({ provider: "vk" }), ["ann", "v"]);
    assert.deepEqual(await list({ provider: "VK" }), []);
    assert.deepEqual(await list({ provider: "vk", state: "active" }), ["ann", "v"]);
    assert.deepEqual(await list({ provider: "vk", emailKeyPrefix: "a" }), ["ann"]);
    assert.deepEqual(await list({ emailKeyPrefix: "ann", state: "active" }), ["ann"]);
    const all = { emailKeyPrefix: "ann@", state: "active", provider: "vk" } as const;
    assert.deepEqual(await list(all), ["ann"]);
    assert.deepEqual(await list({ ...all, state: "deactivated" }), []);
  },

  async "a list of users goes on where the page before ended, whatever came and went meanwhile"(
    storage,
  ) {
    const repository = await storage.open();
    const ids = ["a", "b", "B.2", "c", "d", "e"];
    for (const userId of ids) {
      await makeActive(repository, `u_${userId}@${userId}.example`, { userId });
      const account = {
        provider: "vk",
        socialId: userId,
        email: email(`u_${userId}@${userId}.example`),
      };
      await signIn(repository, { account: { ...account, emailVerified: true } });
    }
    const filters = [
      {},
      { state: "active" },
      { provider: "vk" },
      { emailKeyPrefix: "u_" },
    ] as const;
    for (const [nth, filter] of filters.entries()) {
      const told: string[] = [];
      let after: string | undefined;
      do {
        const page = await repository.listUsers({ ...everyone, ...filter, limit: 2, after });
        assert.ok(page.users.length <= 2);
        told.push(...page.users.map(({ id }) => id));
        after = page.next;
        // Comes before the place, so that it is not told.
        const userId = `0.${nth}.${told.length}`;
        await makeActive(repository, `${userId}@x.example`, { userId });
      } while (after !== undefined);
      assert.deepEqual(told.filter((id) => ids.includes(id)).sort(), ids.toSorted());
      assert.equal(new Set(told).size, told.length);
    }
    const first = await repository.listUsers({ ...everyone, emailKeyPrefix: "u_", limit: 2 });
    for (const { id } of first.users) await repository.deleteUser({ userId: id, now: NOW });
    const rest = await repository.listUsers({
      ...everyone,
      emailKeyPrefix: "u_",
      after: first.next,
    });
    assert.equal(rest.users.length, ids.length - 2);
    assert.equal(rest.next, undefined);
    const exact = await repository.listUsers({ ...everyone, emailKeyPrefix: "u_", limit: 4 });
    assert.equal(exact.users.length, 4);
    assert.equal(exact.next, undefined);
  },
};
