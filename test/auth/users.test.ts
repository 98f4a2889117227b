import assert from "node:assert/strict";
import { describe } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ListUsersRequestSchema } from "../../gen/usher/auth/v1/accounts_pb.ts";
import { AuditEventType } from "../../gen/usher/auth/v1/audit_pb.ts";
import { UserState } from "../../gen/usher/auth/v1/user_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { eventsOf, PASSWORD, signIn, signUp } from "./accounts.ts";
import { type Room, refused, signInAtFacebook, startRoom } from "./room.ts";

const email = "ann@example.com";

describe("ListUsers", () => {
  type Filter = MessageInitShape<typeof ListUsersRequestSchema>;

  async function list({ client }: Room, filter: Filter): Promise<string[]> {
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await client.listUsers({ pageSize: 3, ...filter, pageToken });
      assert.ok(page.users.length <= (filter.pageSize ?? 3));
      ids.push(...page.users.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return ids;
  }

  test("pages through everyone, filtered by state, email and provider", async (t) => {
    const room = await startRoom(t, { facebook: { trustEmail: true } });
    const { client } = room;
    const imported = ["a", "b", "c", "d", "e"].map((id) => ({
      userId: id,
      email: `${id}@x.example`,
    }));
    await client.importUsers({ users: imported });
    await client.importUsers({ users: [{ userId: "m", email: "ann@m\u00fcnchen.de" }] });
    await signUp(client, "Ann@example.com", { userId: "ann" });
    await client.register({ email: "anna@example.com", userId: "anna" });
    await client.deactivateUser({ userId: "b" });
    await signInAtFacebook(room);
    const everyone = ["a", "ann", "anna", "b", "c", "d", "e", "m"];
    assert.deepEqual((await list(room, {})).sort(), everyone);
    assert.deepEqual((await list(room, { pageSize: 1 })).sort(), everyone);
    assert.deepEqual((await list(room, { pageSize: 1_000 })).sort(), everyone);
    assert.deepEqual(await list(room, { state: UserState.PENDING }), ["anna"]);
    assert.deepEqual(await list(room, { state: UserState.DEACTIVATED }), ["b"]);
    assert.equal((await list(room, { state: UserState.ACTIVE })).length, 6);
    assert.deepEqual((await list(room, { emailPrefix: "aNN" })).sort(), ["ann", "anna", "m"]);
    assert.deepEqual(await list(room, { emailPrefix: "ann@EXAMPLE" }), ["ann"]);
    assert.deepEqual(await list(room, { emailPrefix: "ann@M\u00dcNCHEN.de" }), ["m"]);
    assert.deepEqual(await list(room, { emailPrefix: "ann@xn--m" }), ["m"]);
    assert.deepEqual(await list(room, { emailPrefix: "a@x.exampleX" }), []);
    assert.deepEqual(await list(room, { provider: "facebook" }), ["ann"]);
    assert.deepEqual(await list(room, { provider: "vk" }), []);
    const all = { provider: "facebook", state: UserState.ACTIVE, emailPrefix: "ann" };
    assert.deepEqual(await list(room, all), ["ann"]);
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    const bad = [
      { field: "page_size", request: { pageSize: -1 } },
      { field: "page_size", request: { pageSize: 1_001 } },
      { field: "page_token", request: { pageToken: "junk!" } },
      { field: "page_token", request: { pageToken: Buffer.from("7").toString("base64url") } },
      { field: "state", request: { state: 77 as UserState } },
      { field: "email_prefix", request: { emailPrefix: "a\0" } },
      { field: "email_prefix", request: { emailPrefix: "x".repeat(1_000_000) } },
      { field: "provider", request: { provider: "x".repeat(65) } },
    ];
    for (const { field, request } of bad) {
      await refused(client.listUsers(request), "INVALID_PARAMS", field);
    }
  });
});

describe("UpdateProfile", () => {
  test("without a mask writes what is not empty", async (t) => {
    const { client, clock } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    clock.step(5);
    const first = { firstName: "Ann", lastName: "Lee", attributes: { team: "blue" } };
    await client.updateProfile({ userId, profile: first });
    const { user } = await client.updateProfile({ userId, profile: { locale: "pt-BR" } });
    const { $typeName, ...profile } = user?.profile ?? {};
    assert.deepEqual(profile, { ...first, picture: "", locale: "pt-BR" });
    assert.ok(user?.updateTime);
    assert.equal(timestampMs(user.updateTime), clock.now());
    const found = await client.getUser({ key: { case: "userId", value: userId } });
    assert.deepEqual(found.user, user);
    const unchanged = await client.updateProfile({ userId });
    assert.deepEqual(unchanged.user, user);
  });

  test("with a mask writes its fields, and clears those that are empty", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const first = {
      firstName: "Ann",
      lastName: "Lee",
      picture: "p",
      attributes: { a: "1", b: "2" },
    };
    await client.updateProfile({ userId, profile: first });
    const paths = ["first_name", "attributes", "locale", "locale"];
    const profile = { firstName: "", lastName: "ignored", locale: "de", attributes: { c: "3" } };
    const { user } = await client.updateProfile({ userId, profile, updateMask: { paths } });
    assert.equal(user?.profile?.firstName, "");
    assert.equal(user?.profile?.lastName, "Lee");
    assert.equal(user?.profile?.locale, "de");
    assert.deepEqual(user?.profile?.attributes, { c: "3" });
    const all = ["first_name", "last_name", "picture", "locale", "attributes"];
    const cleared = await client.updateProfile({ userId, updateMask: { paths: all } });
    assert.equal(cleared.user?.profile, undefined);
  });

  test("keeps attributes untouched, whatever their names", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const attributes = Object.fromEntries([
      ["", "empty"],
      ["__proto__", "x"],
      ["constructor", "\u202e\u{1f600}"],
      ["a\nb", ""],
    ]);
    const { user } = await client.updateProfile({ userId, profile: { attributes } });
    assert.deepEqual(
      Object.entries(user?.profile?.attributes ?? {}).sort(),
      Object.entries(attributes).sort(),
    );
    const again = await client.getUser({ key: { case: "userId", value: userId } });
    assert.deepEqual(again.user, user);
  });

  test("a profile has 16 KiB at most, together with what it has already", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const most = {
      firstName: "x".repeat(16_000),
      attributes: { ["\u00e9".repeat(100)]: "x".repeat(184) },
    };
    const tooMuch = { ...most, lastName: "x" };
    const call = (profile: object) => client.updateProfile({ userId, profile });
    await refused(call(tooMuch), "INVALID_PARAMS", "profile");
    await call(most);
    await refused(call({ lastName: "x" }), "INVALID_PARAMS", "profile");
    await call({ firstName: "x".repeat(15_999) });
    await call({ lastName: "x" });
  });

  test("is for active users", async (t) => {
    const { client } = await startRoom(t);
    const change = { userId: "ann", profile: { firstName: "Ann" } };
    await refused(client.updateProfile(change), "USER_NOT_FOUND");
    await client.register({ email, userId: "ann" });
    await refused(client.updateProfile(change), "USER_NOT_ACTIVE");
    await client.activateUser({ userId: "ann" });
    await client.updateProfile(change);
    await client.deactivateUser({ userId: "ann" });
    await refused(client.updateProfile(change), "USER_NOT_ACTIVE");
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const bad = [
      { field: "user_id", request: {} },
      { field: "user_id", request: { userId: "a b" } },
      { field: "update_mask", request: { userId, updateMask: { paths: ["firstName"] } } },
      { field: "update_mask", request: { userId, updateMask: { paths: ["*"] } } },
      { field: "update_mask", request: { userId, updateMask: { paths: ["attributes.a"] } } },
      { field: "update_mask", request: { userId, updateMask: { paths: ["constructor"] } } },
      { field: "profile.first_name", request: { userId, profile: { firstName: "a\0" } } },
      { field: "profile.attributes", request: { userId, profile: { attributes: { a: "\0" } } } },
      { field: "profile.attributes", request: { userId, profile: { attributes: { "\0": "a" } } } },
    ];
    for (const { field, request } of bad) {
      await refused(client.updateProfile(request), "INVALID_PARAMS", field);
    }
  });
});

describe("Deactivation", () => {
  test("ends every session for good, and activation lets the user in again", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const token = await signIn(client, email);
    const deactivated = await client.deactivateUser({ userId });
    assert.equal(deactivated.user?.state, UserState.DEACTIVATED);
    assert.equal(deactivated.user?.active, false);
    assert.equal(deactivated.user?.hasPassword, true);
    await refused(client.checkSession({ token }), "USER_NOT_ACTIVE");
    assert.deepEqual(await client.deactivateUser({ userId }), deactivated);
    const activated = await client.activateUser({ userId });
    assert.equal(activated.user?.active, true);
    assert.deepEqual(await client.activateUser({ userId }), activated);
    await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
    await signIn(client, email);
    const types = (await eventsOf(client, userId)).map(({ type }) => type);
    assert.deepEqual(types.slice(0, 3), [
      AuditEventType.SIGNED_IN,
      AuditEventType.ACTIVATED,
      AuditEventType.DEACTIVATED,
    ]);
  });

  test("voids activation codes, and so does activation without one", async (t) => {
    const { client } = await startRoom(t);
    for (const shutOut of [true, false]) {
      const address = `${shutOut}@example.com`;
      const { user, activationCode: code } = await client.register({ email: address });
      const userId = user?.id ?? "";
      if (shutOut) await client.deactivateUser({ userId });
      const reason = shutOut ? "WRONG_ACTIVATION_CODE" : "USER_ALREADY_ACTIVE";
      if (!shutOut) assert.equal((await client.activateUser({ userId })).user?.hasPassword, false);
      const completion = { email: address, code, password: PASSWORD };
      await refused(client.completeRegistration(completion), reason);
    }
  });

  test("of nobody is USER_NOT_FOUND, and so are activation and deletion", async (t) => {
    const { client } = await startRoom(t);
    for (const call of [client.deactivateUser, client.activateUser, client.deleteUser]) {
      await refused(call({ userId: "nobody" }), "USER_NOT_FOUND");
      await refused(call({}), "INVALID_PARAMS", "user_id");
      await refused(call({ userId: "a b" }), "INVALID_PARAMS", "user_id");
    }
  });
});

describe("DeleteUser", () => {
  test("takes everything with it but events, and the email can register anew", async (t) => {
    const room = await startRoom(t, { facebook: { trustEmail: true } });
    const { client } = room;
    const { id: userId } = await signUp(client, email);
    const tokens = [await signIn(client, email), await signInAtFacebook(room)];
    const { resetToken } = await client.requestPasswordReset({ email });
    await client.deleteUser({ userId });
    await refused(client.deleteUser({ userId }), "USER_NOT_FOUND");
    for (const token of tokens) await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
    await refused(client.signIn({ email, password: PASSWORD }), "WRONG_PASSWORD");
    const completion = { email, resetToken, password: PASSWORD };
    await refused(client.completePasswordReset(completion), "WRONG_RESTORE_TOKEN");
    const anew = await signUp(client, email, { userId });
    assert.deepEqual(anew.socialAccounts, []);
    const types = (await eventsOf(client, userId)).map(({ type }) => type);
    assert.ok(types.includes(AuditEventType.DELETED));
    assert.equal(types.at(-1), AuditEventType.REGISTERED);
  });
});
