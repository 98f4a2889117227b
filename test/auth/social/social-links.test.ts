import assert from "node:assert/strict";
import { describe } from "node:test";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { test } from "../../support/on-each-storage.ts";
import { startGoogleRoom, startOpenIdRoom } from "../provider-rooms.ts";
import { beginAt, DAY, REDIRECT_URI, refused, signInAtFacebook, startRoom } from "../room.ts";
import { says } from "../stand-in.ts";

describe("LinkSocialAccount", () => {
  test("adds a provider's account to whoever is signed in, who then signs in by it", async (t) => {
    const room = await startGoogleRoom(t);
    const { client } = room;
    const token = await signInAtFacebook(room);
    const before = await client.checkSession({ token });
    const begun = await beginAt(room, "google", "/settings");
    const { user, clientState } = await client.linkSocialAccount({ ...begun, token });
    assert.equal(clientState, "/settings");
    assert.equal(user?.id, before.user?.id);
    const providers = user?.socialAccounts.map(({ provider }) => provider);
    assert.deepEqual(providers, ["facebook", "google"]);
    assert.equal(user?.email, "ann@example.com", "one that Google vouches for");
    const byGoogle = await client.socialAuth(await beginAt(room, "google"));
    assert.equal(byGoogle.created, false);
    assert.equal(byGoogle.user?.id, user?.id);
  });

  test("leaves the session as it is, though its end is near", async (t) => {
    const room = await startGoogleRoom(t);
    const { client, clock } = room;
    const token = await signInAtFacebook(room);
    clock.step(6 * DAY);
    await client.linkSocialAccount({ ...(await beginAt(room, "google")), token });
    const { session } = await client.checkSession({ token });
    assert.notEqual(session?.token, "", "the new token is for whoever checks");
  });

  test("refuses an account that is another user's", async (t) => {
    const room = await startGoogleRoom(t);
    const { client } = room;
    await client.socialAuth(await beginAt(room, "google"));
    const token = await signInAtFacebook(room);
    const call = client.linkSocialAccount({ ...(await beginAt(room, "google")), token });
    await refused(call, "SOCIAL_ACCOUNT_IN_USE");
    const { user, session } = await client.checkSession({ token });
    assert.equal(user?.socialAccounts.length, 1);
    const { events } = await client.listAuditEvents({ userId: user?.id ?? "" });
    const [event] = events;
    assert.equal(event?.type, AuditEventType.SOCIAL_ACCOUNT_LINK_FAILED);
    assert.equal(event?.reason, "SOCIAL_ACCOUNT_IN_USE");
    assert.equal(event?.provider, "google");
    assert.equal(event?.sessionId, session?.id);
  });

  test("wants a live session first, and uses neither state nor code up without", async (t) => {
    const room = await startGoogleRoom(t);
    const { client, standIn } = room;
    const token = await signInAtFacebook(room);
    const begun = await beginAt(room, "google");
    const other = await signInAtFacebook(room);
    await client.signOut({ token: other });
    await refused(client.linkSocialAccount({ ...begun }), "INVALID_PARAMS", "token");
    await refused(client.linkSocialAccount({ ...begun, token: "junk" }), "WRONG_SESSION_SIGN");
    await refused(client.linkSocialAccount({ ...begun, token: other }), "NOT_AUTHENTICATED");
    assert.deepEqual(standIn.asked, []);
    await client.linkSocialAccount({ ...begun, token });
  });

  test("fails as SocialAuth does when the provider or the state is wrong", async (t) => {
    const room = await startGoogleRoom(t);
    const { client, standIn } = room;
    const token = await signInAtFacebook(room);
    const link = async (given: object) =>
      client.linkSocialAccount({ ...(await beginAt(room, "google")), token, ...given });
    await refused(link({ provider: "myspace" }), "WRONG_PROVIDER");
    await refused(link({ provider: "vk" }), "IMPROPERLY_CONFIGURED");
    await refused(link({ provider: "" }), "INVALID_PARAMS", "provider");
    await refused(link({ code: "" }), "INVALID_PARAMS", "code");
    await refused(link({ state: "unknown" }), "WRONG_STATE");
    await refused(link({ code: "wrong" }), "WRONG_AUTH_CODE");
    standIn.behaviour.userinfo = says(500, "{}");
    await refused(link({}), "SOCIAL_AUTH_ERROR");
  });

  test("of a user who is deactivated meanwhile links nothing", async (t) => {
    const room = await startGoogleRoom(t);
    const { client, standIn } = room;
    const token = await signInAtFacebook(room);
    const { user } = await client.checkSession({ token });
    const begun = await beginAt(room, "google");
    standIn.behaviour.userinfo = async (response) => {
      await client.deactivateUser({ userId: user?.id ?? "" });
      says(200, '{"sub":"1"}')(response, undefined as never);
    };
    await refused(client.linkSocialAccount({ ...begun, token }), "NOT_AUTHENTICATED");
    const by = { case: "userId", value: user?.id ?? "" } as const;
    const after = await client.getUser({ key: by });
    assert.equal(after.user?.socialAccounts.length, 1);
  });
});

describe("UnlinkSocialAccount", () => {
  test("takes the account and the sessions that were opened through it", async (t) => {
    const room = await startGoogleRoom(t);
    const { client } = room;
    const token = await signInAtFacebook(room);
    await client.linkSocialAccount({ ...(await beginAt(room, "google")), token });
    const byGoogle = await client.socialAuth(await beginAt(room, "google"));
    const userId = byGoogle.user?.id ?? "";
    const { user } = await client.unlinkSocialAccount({ userId, provider: "google" });
    assert.equal(user?.socialAccounts.length, 1);
    const gone = client.checkSession({ token: byGoogle.session?.token ?? "" });
    await refused(gone, "NOT_AUTHENTICATED");
    await client.checkSession({ token });
    const again = await client.unlinkSocialAccount({ userId, provider: "google" });
    assert.deepEqual(again.user, user);
  });

  test("never takes the last way to sign in", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const token = await signInAtFacebook(room);
    const { user } = await client.checkSession({ token });
    const request = { userId: user?.id ?? "", provider: "facebook" };
    await refused(client.unlinkSocialAccount(request), "LAST_SIGN_IN_METHOD");
    await client.checkSession({ token });
  });

  test("takes one of a provider that is no longer in the settings", async (t) => {
    const room = await startOpenIdRoom(t);
    const { client } = room;
    const { user } = await client.socialAuth(await beginAt(room, "acme"));
    const request = { userId: user?.id ?? "", provider: "unheard_of" };
    assert.deepEqual((await client.unlinkSocialAccount(request)).user, user);
  });

  test("of nobody is USER_NOT_FOUND, and bad input names its field", async (t) => {
    const { client } = await startRoom(t);
    const request = { userId: "nobody", provider: "facebook" };
    await refused(client.unlinkSocialAccount(request), "USER_NOT_FOUND");
    await refused(client.unlinkSocialAccount({ provider: "x" }), "INVALID_PARAMS", "user_id");
    await refused(client.unlinkSocialAccount({ userId: "x" }), "INVALID_PARAMS", "provider");
  });
});

describe("Linking by email", () => {
  test("gives a provider's account to the user whose email it vouches for", async (t) => {
    const room = await startGoogleRoom(t);
    const { client } = room;
    const { activationCode: code } = await client.register({ email: "Ann@Example.com" });
    const registered = { email: "ann@example.com", code, password: "Correct horse 1" };
    const { user } = await client.completeRegistration(registered);
    const byGoogle = await client.socialAuth(await beginAt(room, "google"));
    assert.equal(byGoogle.created, false);
    assert.equal(byGoogle.user?.id, user?.id);
    assert.equal(byGoogle.user?.hasPassword, true);
  });

  test("leaves nothing to whoever registered the email before and never proved it", async (t) => {
    const room = await startGoogleRoom(t);
    const { client } = room;
    const { activationCode: code, user } = await client.register({ email: "ann@example.com" });
    const byGoogle = await client.socialAuth(await beginAt(room, "google"));
    assert.equal(byGoogle.user?.id, user?.id);
    assert.equal(byGoogle.user?.active, true);
    assert.equal(byGoogle.created, false);
    const late = { email: "ann@example.com", code, password: "Correct horse 1" };
    await refused(client.completeRegistration(late), "USER_ALREADY_ACTIVE");
    const signIn = { email: "ann@example.com", password: "Correct horse 1" };
    await refused(client.signIn(signIn), "WRONG_PASSWORD");
  });

  test("does not happen by an email that the provider does not vouch for", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const { activationCode: code } = await client.register({ email: "ann@example.com" });
    const registered = { email: "ann@example.com", code, password: "Correct horse 1" };
    const { user } = await client.completeRegistration(registered);
    const token = await signInAtFacebook(room);
    const byFacebook = await client.checkSession({ token });
    assert.notEqual(byFacebook.user?.id, user?.id);
  });
});

test("a social sign-in that is refused is an event, with its reason and without secrets", async (t) => {
  const room = await startGoogleRoom(t);
  const { client } = room;
  const origin = { device: "Firefox", address: "192.0.2.7" };
  const begun = await beginAt(room, "google");
  const used = { ...begun, code: "wrong code" };
  await refused(client.socialAuth({ ...used, ...origin }), "WRONG_AUTH_CODE");
  await refused(client.socialAuth({ ...begun, ...origin }), "WRONG_STATE");
  const { user } = await client.socialAuth(await beginAt(room, "google"));
  await client.deactivateUser({ userId: user?.id ?? "" });
  await refused(client.socialAuth(await beginAt(room, "google")), "USER_NOT_ACTIVE");
  const wrong = { provider: "google", redirectUri: REDIRECT_URI, code: "", state: "" };
  await refused(client.socialAuth(wrong), "INVALID_PARAMS", "code");
  const { events } = await client.listAuditEvents({});
  const failures = events.filter(({ type }) => type === AuditEventType.SIGN_IN_FAILED);
  assert.deepEqual(
    failures.map(({ reason, userId, provider, device }) => [reason, userId, provider, device]),
    [
      ["USER_NOT_ACTIVE", user?.id, "google", ""],
      ["WRONG_STATE", "", "google", "Firefox"],
      ["WRONG_AUTH_CODE", "", "google", "Firefox"],
    ],
  );
  for (const secret of [begun.code, begun.state, "wrong code"]) {
    const told = JSON.stringify(events, (_, value) => (typeof value === "bigint" ? "" : value));
    assert.equal(told.includes(secret), false);
  }
});
