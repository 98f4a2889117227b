import assert from "node:assert/strict";
import { describe } from "node:test";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { test } from "../../support/on-each-storage.ts";
import { eventsOf, lastEvent, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../accounts.ts";
import { DAY, MINUTE, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

describe("ChangePassword", () => {
  test("sets the new password and ends every session but the one that is kept", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const kept = await signIn(client, email);
    const others = [await signIn(client, email), await signIn(client, email)];
    const change = { userId, oldPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    await client.changePassword({ ...change, keepSessionToken: kept });
    const { session } = await client.checkSession({ token: kept });
    for (const token of others) await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
    await refused(client.signIn({ email, password: PASSWORD }), "WRONG_PASSWORD");
    await signIn(client, email, OTHER_PASSWORD);
    const events = (await eventsOf(client, userId)).slice(2, 5);
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        AuditEventType.PASSWORD_CHANGED,
        AuditEventType.SESSION_REVOKED,
        AuditEventType.SESSION_REVOKED,
      ],
    );
    assert.equal(events[0]?.sessionId, session?.id);
  });

  test("keeps no session for a token that is none, another's or over", async (t) => {
    const { client, clock } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    await signUp(client, "bob@example.com");
    const bobs = await signIn(client, "bob@example.com");
    const over = await signIn(client, email);
    clock.step(7 * DAY);
    let [oldPassword, newPassword] = [PASSWORD, OTHER_PASSWORD];
    for (const keepSessionToken of ["", "junk", "\0", "x".repeat(1_000_000), over, bobs]) {
      const token = await signIn(client, email, oldPassword);
      await client.changePassword({ userId, oldPassword, newPassword, keepSessionToken });
      await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
      [oldPassword, newPassword] = [newPassword, oldPassword];
    }
  });

  test("keeps a session that was just renewed by its old token", async (t) => {
    const { client, clock } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const token = await signIn(client, email);
    clock.step(6 * DAY);
    const renewed = await client.checkSession({ token });
    const change = { userId, oldPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    await client.changePassword({ ...change, keepSessionToken: token });
    await client.checkSession({ token: renewed.session?.token ?? "" });
  });

  test("voids a reset token", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const { resetToken } = await client.requestPasswordReset({ email });
    await client.changePassword({ userId, oldPassword: PASSWORD, newPassword: OTHER_PASSWORD });
    const completion = { email, resetToken, password: PASSWORD };
    await refused(client.completePasswordReset(completion), "WRONG_RESTORE_TOKEN");
  });

  test("a user without a password, or who is not active, is told so", async (t) => {
    const { client, clock } = await startRoom(t);
    const change = { userId: "ann", oldPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    await refused(client.changePassword(change), "USER_NOT_FOUND");
    await client.register({ email, userId: "ann" });
    await refused(client.changePassword(change), "USER_NOT_ACTIVE");
    await client.activateUser({ userId: "ann" });
    await refused(client.changePassword(change), "WRONG_PASSWORD");
    await client.deactivateUser({ userId: "ann" });
    // Refusals within a minute are one event.
    clock.step(MINUTE);
    await refused(client.changePassword(change), "USER_NOT_ACTIVE");
    const event = await lastEvent(client, "ann");
    assert.equal(event.type, AuditEventType.PASSWORD_CHANGE_FAILED);
    assert.equal(event.reason, "USER_NOT_ACTIVE");
  });

  test("a weak password is refused, and nothing changes", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const token = await signIn(client, email);
    const change = { userId, oldPassword: PASSWORD, newPassword: "weak" };
    await refused(client.changePassword(change), "WEAK_PASSWORD", "new_password");
    assert.equal((await lastEvent(client)).reason, "WEAK_PASSWORD");
    await client.checkSession({ token });
    await signIn(client, email);
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const good = { userId, oldPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    const bad = [
      { field: "user_id", request: { ...good, userId: "" } },
      { field: "user_id", request: { ...good, userId: "a b" } },
      { field: "old_password", request: { ...good, oldPassword: "" } },
      { field: "old_password", request: { ...good, oldPassword: "\0" } },
      { field: "new_password", request: { ...good, newPassword: `${OTHER_PASSWORD}\0` } },
      { field: "new_password", request: { ...good, newPassword: "x1".repeat(129) } },
    ];
    for (const { field, request } of bad) {
      await refused(client.changePassword(request), "INVALID_PARAMS", field);
    }
  });
});

describe("A password reset", () => {
  test("sets a password, ends every session and opens none", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const tokens = [await signIn(client, email), await signIn(client, email)];
    const { resetToken } = await client.requestPasswordReset({ email: "ANN@example.com" });
    assert.match(resetToken, /^[A-Za-z0-9_-]{43}$/);
    // The password so far keeps working.
    tokens.push(await signIn(client, email));
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
    for (const token of tokens) await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
    const event = await lastEvent(client, userId);
    assert.equal(event.type, AuditEventType.PASSWORD_RESET_COMPLETED);
    await refused(client.signIn({ email, password: PASSWORD }), "WRONG_PASSWORD");
    await signIn(client, email, OTHER_PASSWORD);
  });

  test("gives a first password to a user without one", async (t) => {
    const { client } = await startRoom(t);
    await client.importUsers({ users: [{ email, userId: "ann" }] });
    const { resetToken } = await client.requestPasswordReset({ email });
    await client.completePasswordReset({ email, resetToken, password: PASSWORD });
    await signIn(client, email);
    const { user } = await client.getUser({ key: { case: "userId", value: "ann" } });
    assert.equal(user?.hasPassword, true);
  });

  test("is for active users alone", async (t) => {
    const { client } = await startRoom(t);
    await refused(client.requestPasswordReset({ email }), "USER_NOT_FOUND");
    const { user } = await client.register({ email });
    await refused(client.requestPasswordReset({ email }), "USER_NOT_ACTIVE");
    const userId = user?.id ?? "";
    await client.activateUser({ userId });
    const { resetToken } = await client.requestPasswordReset({ email });
    await client.deactivateUser({ userId });
    await refused(client.requestPasswordReset({ email }), "USER_NOT_ACTIVE");
    const completion = { email, resetToken, password: PASSWORD };
    await refused(client.completePasswordReset(completion), "WRONG_RESTORE_TOKEN");
    await client.activateUser({ userId });
    await refused(client.completePasswordReset(completion), "WRONG_RESTORE_TOKEN");
  });

  test("takes its token once, for one hour, and the last one alone", async (t) => {
    const { client, clock } = await startRoom(t);
    const { id } = await signUp(client, email);
    await signUp(client, "bob@example.com");
    const { resetToken: older } = await client.requestPasswordReset({ email });
    const { resetToken } = await client.requestPasswordReset({ email });
    const good = { email, resetToken, password: OTHER_PASSWORD };
    const wrong = [
      { ...good, resetToken: older },
      { ...good, resetToken: "wrong" },
      { ...good, resetToken: `${resetToken}A` },
      { ...good, email: "bob@example.com" },
      { ...good, email: "nobody@example.com" },
    ];
    for (const request of wrong) {
      await refused(client.completePasswordReset(request), "WRONG_RESTORE_TOKEN");
    }
    await refused(
      client.completePasswordReset({ ...good, resetToken: "wrong" }),
      "WRONG_RESTORE_TOKEN",
    );
    const event = await lastEvent(client, id);
    assert.equal(event.type, AuditEventType.PASSWORD_RESET_FAILED);
    assert.equal(event.reason, "WRONG_RESTORE_TOKEN");
    assert.equal(event.userId, id);
    clock.step(60 * MINUTE - 1);
    await client.completePasswordReset(good);
    await refused(client.completePasswordReset(good), "WRONG_RESTORE_TOKEN");
    const late = await client.requestPasswordReset({ email });
    clock.step(60 * MINUTE);
    const over = { ...good, resetToken: late.resetToken };
    await refused(client.completePasswordReset(over), "WRONG_RESTORE_TOKEN");
  });

  test("a weak password leaves the token good", async (t) => {
    const { client } = await startRoom(t);
    await signUp(client, email);
    const { resetToken } = await client.requestPasswordReset({ email });
    for (const password of ["", "weak", "123123123", "слабый"]) {
      const completion = { email, resetToken, password };
      await refused(client.completePasswordReset(completion), "WEAK_PASSWORD", "password");
    }
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    await refused(client.requestPasswordReset({}), "INVALID_PARAMS", "email");
    await refused(client.requestPasswordReset({ email: "ann" }), "INVALID_PARAMS", "email");
    await signUp(client, email);
    const { resetToken } = await client.requestPasswordReset({ email });
    const good = { email, resetToken, password: OTHER_PASSWORD };
    const bad = [
      { field: "email", request: { ...good, email: "" } },
      { field: "reset_token", request: { ...good, resetToken: "" } },
      { field: "reset_token", request: { ...good, resetToken: "a\0" } },
      { field: "reset_token", request: { ...good, resetToken: "x".repeat(1_025) } },
      { field: "password", request: { ...good, password: "x1".repeat(129) } },
    ];
    for (const { field, request } of bad) {
      await refused(client.completePasswordReset(request), "INVALID_PARAMS", field);
    }
    await client.completePasswordReset(good);
  });
});
