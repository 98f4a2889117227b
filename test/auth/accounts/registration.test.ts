import assert from "node:assert/strict";
import { describe } from "node:test";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { UserState } from "../../../gen/usher/auth/v1/user_pb.ts";
import { test } from "../../support/on-each-storage.ts";
import { lastEvent, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../accounts.ts";
import { DAY, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

describe("Register", () => {
  test("makes a pending user and a code", async (t) => {
    const { client } = await startRoom(t);
    const { user, activationCode } = await client.register({ email: " Ann@Example.com " });
    assert.match(activationCode, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(user?.email, "Ann@Example.com");
    assert.equal(user?.state, UserState.PENDING);
    assert.equal(user?.active, false);
    assert.equal(user?.hasPassword, false);
    assert.match(user?.id ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const found = await client.getUser({ key: { case: "email", value: "ANN@example.com" } });
    assert.deepEqual(found.user, user);
  });

  test("gives the id that the caller chose", async (t) => {
    const { client } = await startRoom(t);
    const { user } = await client.register({ email, userId: "Ann_1.x-y" });
    assert.equal(user?.id, "Ann_1.x-y");
  });

  test("gives a pending user a fresh code, and the older one is void", async (t) => {
    const { client } = await startRoom(t);
    const first = await client.register({ email });
    const second = await client.register({ email: "ANN@example.com" });
    assert.equal(second.user?.id, first.user?.id);
    assert.notEqual(second.activationCode, first.activationCode);
    const completion = { email, code: first.activationCode, password: PASSWORD };
    await refused(client.completeRegistration(completion), "WRONG_ACTIVATION_CODE");
    await client.completeRegistration({ ...completion, code: second.activationCode });
  });

  test("refuses what is another's, active, deactivated or pending with another id", async (t) => {
    const { client } = await startRoom(t);
    const ann = await signUp(client, email, { userId: "ann" });
    await client.register({ email: "bob@example.com", userId: "bob" });
    await refused(client.register({ email: "Ann@example.com" }), "USER_ALREADY_EXISTS");
    await refused(client.register({ email, userId: ann.id }), "USER_ALREADY_EXISTS");
    const taken = { email: "carl@example.com", userId: "ann" };
    await refused(client.register(taken), "USER_ALREADY_EXISTS");
    const otherId = { email: "bob@example.com", userId: "bob2" };
    await refused(client.register(otherId), "USER_ALREADY_EXISTS");
    await client.register({ email: "bob@example.com", userId: "bob" });
    await client.deactivateUser({ userId: "ann" });
    await refused(client.register({ email }), "USER_ALREADY_EXISTS");
    const key = { case: "email", value: "carl@example.com" } as const;
    await refused(client.getUser({ key }), "USER_NOT_FOUND");
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    await refused(client.register({}), "INVALID_PARAMS", "email");
    await refused(client.register({ email: "ann" }), "INVALID_PARAMS", "email");
    await refused(client.register({ email, userId: "a b" }), "INVALID_PARAMS", "user_id");
    const longId = { email, userId: "x".repeat(65) };
    await refused(client.register(longId), "INVALID_PARAMS", "user_id");
    await client.register({ email, userId: "x".repeat(64) });
  });
});

describe("CompleteRegistration", () => {
  test("makes the user active with the password, and opens no session", async (t) => {
    const { client } = await startRoom(t);
    const { user, activationCode: code } = await client.register({ email });
    const completion = { email: "ANN@example.com", code, password: PASSWORD };
    const completed = await client.completeRegistration(completion);
    assert.equal(completed.user?.id, user?.id);
    assert.equal(completed.user?.active, true);
    assert.equal(completed.user?.state, UserState.ACTIVE);
    assert.equal(completed.user?.hasPassword, true);
    const { type } = await lastEvent(client);
    assert.equal(type, AuditEventType.REGISTRATION_COMPLETED);
    await signIn(client, email);
  });

  test("tells a repeat that the user is active, and leaves the password", async (t) => {
    const { client } = await startRoom(t);
    const { activationCode: code, user } = await client.register({ email });
    await client.completeRegistration({ email, code, password: PASSWORD });
    for (const again of [code, "another"]) {
      const repeat = { email, code: again, password: OTHER_PASSWORD };
      await refused(client.completeRegistration(repeat), "USER_ALREADY_ACTIVE");
    }
    const { type, reason, userId } = await lastEvent(client);
    assert.equal(type, AuditEventType.REGISTRATION_FAILED);
    assert.equal(reason, "USER_ALREADY_ACTIVE");
    assert.equal(userId, user?.id);
    await signIn(client, email);
  });

  test("refuses a code that is wrong, another's, over, void, or of nobody", async (t) => {
    const { client, clock } = await startRoom(t);
    const { activationCode: code } = await client.register({ email });
    const { activationCode: bobs } = await client.register({ email: "bob@example.com" });
    const attempts = [
      { email, code: "wrong" },
      { email, code: code.toLowerCase() },
      { email, code: `${code}A` },
      { email, code: bobs },
      { email: "nobody@example.com", code },
    ];
    for (const attempt of attempts) {
      const completion = { ...attempt, password: PASSWORD };
      await refused(client.completeRegistration(completion), "WRONG_ACTIVATION_CODE");
    }
    clock.step(DAY - 1);
    await client.completeRegistration({ email, code, password: PASSWORD });
    clock.step(1);
    const late = { email: "bob@example.com", code: bobs, password: PASSWORD };
    await refused(client.completeRegistration(late), "WRONG_ACTIVATION_CODE");
    await client.deactivateUser({ userId: (await signUp(client, "carl@example.com")).id });
    const carls = { email: "carl@example.com", code, password: PASSWORD };
    await refused(client.completeRegistration(carls), "WRONG_ACTIVATION_CODE");
    const { type, userId } = await lastEvent(client);
    assert.equal(type, AuditEventType.REGISTRATION_FAILED);
    assert.notEqual(userId, "");
  });

  test("a weak password leaves the code good", async (t) => {
    const { client } = await startRoom(t);
    const { activationCode: code } = await client.register({ email });
    for (const password of ["", "short-1", "longenough", "password1"]) {
      const completion = { email, code, password };
      await refused(client.completeRegistration(completion), "WEAK_PASSWORD", "password");
    }
    const { reason } = await lastEvent(client);
    assert.equal(reason, "WEAK_PASSWORD");
    await client.completeRegistration({ email, code, password: PASSWORD });
  });

  test("a bad field is named, and leaves the code good", async (t) => {
    const { client } = await startRoom(t);
    const { activationCode: code } = await client.register({ email });
    const good = { email, code, password: PASSWORD };
    const bad = [
      { field: "email", request: { ...good, email: "" } },
      { field: "email", request: { ...good, email: "ann" } },
      { field: "code", request: { ...good, code: "" } },
      { field: "code", request: { ...good, code: "\0" } },
      { field: "code", request: { ...good, code: "x".repeat(1_000_000) } },
      { field: "password", request: { ...good, password: `${PASSWORD}\0` } },
      { field: "password", request: { ...good, password: "x1".repeat(129) } },
    ];
    for (const { field, request } of bad) {
      await refused(client.completeRegistration(request), "INVALID_PARAMS", field);
    }
    await client.completeRegistration(good);
  });

  test("the password counts in NFKC", async (t) => {
    const { client } = await startRoom(t);
    await signUp(client, email, { password: "cafe\u0301 \ufb01ne" });
    await signIn(client, email, "caf\u00e9 fine");
  });

  test("the password may have spaces, signs and letters of every script", async (t) => {
    const { client } = await startRoom(t);
    const password =
      "123_this pa$$word % CoMpLeX as HeLL... \u043f\u0430\u0440\u043e\u043b\u044c \u{1f600}";
    await signUp(client, email, { password });
    await signIn(client, email, password);
  });

  test("the level of strength is the operator's", async (t) => {
    const { client } = await startRoom(t, { settings: { passwordStrength: "whocares" } });
    const { activationCode: code } = await client.register({ email });
    const weak = { email, code, password: "x" };
    await refused(client.completeRegistration(weak), "WEAK_PASSWORD", "password");
    await client.completeRegistration({ ...weak, password: "xy" });
  });
});
