import assert from "node:assert/strict";
import { describe } from "node:test";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { test } from "../../support/on-each-storage.ts";
import { eventsOf, lastEvent, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../accounts.ts";
import { DAY, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

describe("SignIn", () => {
  test("opens a session of seven days, in any letter case of the email", async (t) => {
    const { client, clock } = await startRoom(t);
    const user = await signUp(client, email);
    const origin = { device: "Phone \u{1f600}", address: "2001:db8::1" };
    const signedIn = await client.signIn({
      email: " ANN@example.com",
      password: PASSWORD,
      ...origin,
    });
    assert.deepEqual(signedIn.user, user);
    const { session } = signedIn;
    assert.match(session?.token ?? "", /^uss_[A-Za-z0-9_-]{48}$/);
    assert.equal(session?.provider, "");
    assert.equal(session?.device, origin.device);
    assert.equal(session?.address, origin.address);
    assert.equal(Number(session?.expireTime?.seconds) * 1_000, clock.now() + 7 * DAY);
    const checked = await client.checkSession({ token: session?.token ?? "" });
    assert.equal(checked.session?.id, session?.id);
    assert.deepEqual(checked.user, user);
    const event = (await eventsOf(client, user.id))[0];
    assert.equal(event?.type, AuditEventType.SIGNED_IN);
    assert.equal(event?.sessionId, session?.id);
    assert.equal(event?.device, origin.device);
    assert.equal(event?.address, origin.address);
  });

  test("each sign-in is a session of its own", async (t) => {
    const { client } = await startRoom(t);
    await signUp(client, email);
    const [one, two] = [await signIn(client, email), await signIn(client, email)];
    await client.signOut({ token: one });
    await client.checkSession({ token: two });
  });

  test("a wrong password, an unknown user and one without a password are the same", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const { id } = await signUp(client, email);
    await client.register({ email: "pending@example.com", userId: "pending" });
    await client.importUsers({ users: [{ email: "none@example.com", userId: "none" }] });
    const origin = { device: "Phone", address: "192.0.2.1" };
    const tries = [
      { email, password: OTHER_PASSWORD, userId: id },
      { email, password: PASSWORD.toUpperCase(), userId: id },
      { email, password: `${PASSWORD} `, userId: id },
      { email: "nobody@example.com", password: PASSWORD, userId: "" },
      { email: "pending@example.com", password: PASSWORD, userId: "pending" },
      { email: "none@example.com", password: PASSWORD, userId: "none" },
    ];
    const messages = new Set<string>();
    for (const { userId, ...attempt } of tries) {
      const error = await refused(client.signIn({ ...attempt, ...origin }), "WRONG_PASSWORD");
      messages.add(error.message);
      const event = (await client.listAuditEvents({ pageSize: 1 })).events[0];
      assert.equal(event?.type, AuditEventType.SIGN_IN_FAILED);
      assert.equal(event?.reason, "WRONG_PASSWORD");
      assert.equal(event?.userId, userId);
      assert.equal(event?.device, "Phone");
      assert.equal(event?.address, "192.0.2.1");
    }
    assert.equal(messages.size, 1);
    const logged = room.logged.join("\n");
    for (const secret of [PASSWORD, OTHER_PASSWORD]) assert.ok(!logged.includes(secret));
  });

  test("a deactivated user is told so with the right password alone", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    await client.deactivateUser({ userId });
    await refused(client.signIn({ email, password: PASSWORD }), "USER_NOT_ACTIVE");
    const event = await lastEvent(client);
    assert.equal(event.reason, "USER_NOT_ACTIVE");
    assert.equal(event.userId, userId);
    await refused(client.signIn({ email, password: OTHER_PASSWORD }), "WRONG_PASSWORD");
    await client.activateUser({ userId });
    await signIn(client, email);
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    const good = { email, password: PASSWORD };
    const bad = [
      { field: "email", request: { ...good, email: "" } },
      { field: "email", request: { ...good, email: "ann" } },
      { field: "password", request: { ...good, password: "" } },
      { field: "password", request: { ...good, password: "a\0b" } },
      { field: "password", request: { ...good, password: "x".repeat(4_097) } },
      { field: "device", request: { ...good, device: "a\0b" } },
      { field: "address", request: { ...good, address: "192.0.2.7:80" } },
    ];
    for (const { field, request } of bad) {
      await refused(client.signIn(request), "INVALID_PARAMS", field);
    }
  });

  test("a password is hashed anew when the cost of a hash has changed", async (t) => {
    const { client, repository } = await startRoom(t, { settings: { passwordMemoryKiB: 128 } });
    const old = {
      email,
      passwordHash: "$2b$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO",
    };
    await client.importUsers({ users: [{ ...old, userId: "ann" }] });
    const before = await client.getUser({ key: { case: "userId", value: "ann" } });
    await refused(client.signIn({ email, password: "wrong" }), "WRONG_PASSWORD");
    const unchanged = await repository.findCredentials({ userId: "ann" });
    assert.equal(unchanged?.passwordHash, old.passwordHash);
    await signIn(client, email, "pass wörd");
    const hashed = await repository.findCredentials({ userId: "ann" });
    assert.match(hashed?.passwordHash ?? "", /^\$argon2id\$v=19\$m=128,t=2,p=1\$/);
    await signIn(client, email, "pass wörd");
    const again = await repository.findCredentials({ userId: "ann" });
    assert.equal(again?.passwordHash, hashed?.passwordHash);
    const after = await client.getUser({ key: { case: "userId", value: "ann" } });
    assert.deepEqual(after.user, before.user);
  });
});
