import assert from "node:assert/strict";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { callJson, startService } from "../support/service.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const CODE = /^[\w-]{43}$/;

test("the JSON of every call about accounts is as its users type and read it", async (t) => {
  const usher = await startService(t, { USHER_AUTH_PASSWORD_MEMORY: "1MiB" });
  const ask = async (rpc: string, request: object) => {
    const { status, body } = await callJson(usher, `${AuthService.typeName}/${rpc}`, request);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const email = "a@b.example";

  const { user: pending, activationCode } = await ask("Register", { email });
  assert.match(pending.id, UUID_V7);
  assert.match(pending.createTime, TIME);
  assert.match(activationCode, CODE);
  const { id: userId, createTime } = pending;
  const times = { createTime, updateTime: createTime };
  assert.deepEqual(pending, { id: userId, email, state: "USER_STATE_PENDING", ...times });

  const password = "xkcd-fan-1";
  const completed = await ask("CompleteRegistration", { email, code: activationCode, password });
  assert.match(completed.user.updateTime, TIME);
  const { user: active } = completed;
  const states = { active: true, state: "USER_STATE_ACTIVE", hasPassword: true };
  assert.deepEqual(active, { ...pending, ...states, updateTime: active.updateTime });

  const signedIn = await ask("SignIn", { email, password, device: "Phone", address: "192.0.2.1" });
  assert.deepEqual(signedIn.user, active);
  const { id, token, ...session } = signedIn.session;
  assert.match(id, UUID_V7);
  assert.match(token, /^uss_[\w-]{48}$/);
  for (const key of ["createTime", "lastSeenTime", "expireTime"]) assert.match(session[key], TIME);
  assert.equal(session.device, "Phone");
  assert.equal(session.address, "192.0.2.1");
  assert.equal(signedIn.accessToken.split(".").length, 3);

  const profile = { firstName: "Ann", lastName: "Lee", attributes: { team: "blue" } };
  const updated = await ask("UpdateProfile", { userId, profile, updateMask: "firstName,lastName" });
  assert.deepEqual(updated.user.profile, { firstName: "Ann", lastName: "Lee" });
  assert.deepEqual(await ask("GetUser", { email: "A@B.example" }), updated);
  assert.deepEqual(await ask("ListUsers", { pageSize: 1, state: "USER_STATE_ACTIVE" }), {
    users: [updated.user],
  });

  const newPassword = "xkcd-fan-2";
  const change = { userId, oldPassword: password, newPassword, keepSessionToken: token };
  assert.deepEqual(await ask("ChangePassword", change), {});
  const { resetToken } = await ask("RequestPasswordReset", { email });
  assert.match(resetToken, CODE);
  const reset = { email, resetToken, password };
  assert.deepEqual(await ask("CompletePasswordReset", reset), {});

  const { user: deactivated } = await ask("DeactivateUser", { userId });
  assert.equal(deactivated.state, "USER_STATE_DEACTIVATED");
  assert.equal("active" in deactivated, false);
  assert.equal((await ask("ActivateUser", { userId })).user.active, true);

  const events = await ask("ListAuditEvents", { userId, pageSize: 2 });
  assert.equal(typeof events.nextPageToken, "string");
  assert.deepEqual(
    events.events.map(({ type }: { type: string }) => type),
    ["AUDIT_EVENT_TYPE_ACTIVATED", "AUDIT_EVENT_TYPE_DEACTIVATED"],
  );
  const { id: eventId, time, ...event } = events.events[0];
  assert.match(eventId, /^[1-9]\d*$/);
  assert.match(time, TIME);
  assert.deepEqual(event, { type: "AUDIT_EVENT_TYPE_ACTIVATED", userId, count: 1 });
  assert.deepEqual(await ask("DeleteUser", { userId }), {});

  const passwordHash = "$2b$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO";
  const users = [{ email, userId: "ann", passwordHash }, { email }];
  const { results } = await ask("ImportUsers", { users });
  assert.deepEqual(results, [
    { userId: "ann" },
    {
      error: {
        reason: "USER_ALREADY_EXISTS",
        message: "A user with that email or id exists.",
      },
    },
  ]);
});

test("too many failures are RESOURCE_EXHAUSTED, and say for how long", async (t) => {
  const usher = await startService(t, { USHER_AUTH_PASSWORD_MEMORY: "1MiB" });
  const signIn = () =>
    callJson(usher, `${AuthService.typeName}/SignIn`, { email: "a@b.example", password: "wrong" });
  for (let nth = 0; nth < 10; nth++) {
    const { status, body } = await signIn();
    assert.equal(status, 401);
    assert.equal(body.details[0].debug.reason, "WRONG_PASSWORD");
  }
  const { status, body } = await signIn();
  assert.equal(status, 429);
  assert.equal(body.code, "resource_exhausted");
  assert.equal(body.details[0].debug.reason, "TOO_MANY_ATTEMPTS");
  const seconds = Number(/^([\d.]+)s$/.exec(body.details[1].debug.retryDelay)?.[1]);
  assert.ok(seconds > 800 && seconds <= 900);
});
