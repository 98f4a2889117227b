import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { startGoogleRoom, startVkRoom } from "../provider-rooms.ts";
import { beginAt, REDIRECT_URI, refused } from "../room.ts";
import { says } from "../stand-in.ts";

function challengeOf(verifier: string | undefined): string {
  return createHash("sha256")
    .update(verifier ?? "")
    .digest("base64url");
}

describe("Google", () => {
  test("is asked as documented: page, code by POST, userinfo with the token in a header", async (t) => {
    const { client, standIn } = await startGoogleRoom(t);
    const begun = await beginAt({ client }, "google");
    const request = { provider: "google", redirectUri: REDIRECT_URI };
    const page = new URL((await client.getSocialAuthUrl(request)).url);
    const { code_challenge, state, nonce, ...parameters } = Object.fromEntries(page.searchParams);
    for (const random of [code_challenge, state, nonce]) {
      assert.match(random ?? "", /^[A-Za-z0-9_-]{43}$/);
    }
    assert.deepEqual(parameters, {
      client_id: standIn.settings.clientId,
      redirect_uri: REDIRECT_URI,
      response_type: "code",
      scope: "openid email profile",
      code_challenge_method: "S256",
      access_type: "offline",
      prompt: "consent",
    });
    await client.socialAuth(begun);
    const [token, userinfo, ...more] = standIn.asked;
    assert.deepEqual(more, []);
    assert.equal(token?.method, "POST");
    assert.equal(token?.url.search, "");
    const { code_verifier, ...form } = Object.fromEntries(token?.form ?? []);
    assert.match(code_verifier ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(form, {
      grant_type: "authorization_code",
      client_id: standIn.settings.clientId,
      client_secret: standIn.clientSecret,
      redirect_uri: REDIRECT_URI,
      code: begun.code,
    });
    assert.equal(userinfo?.method, "GET");
    assert.equal(userinfo?.url.search, "");
    assert.match(userinfo?.authorization ?? "", /^Bearer [A-Za-z0-9_-]+$/);
  });

  test("signs a user in with the profile and the email that it vouches for", async (t) => {
    const { client, standIn } = await startGoogleRoom(t);
    const { user, session } = await client.socialAuth(await beginAt({ client }, "google"));
    assert.equal(user?.email, "ann@example.com");
    assert.equal(session?.provider, "google");
    assert.equal(user?.profile?.firstName, "Ann");
    assert.equal(user?.profile?.lastName, "Lee");
    assert.equal(user?.profile?.picture, "https://lh3.googleusercontent.com/a/1");
    assert.equal(user?.profile?.locale, "de");
    assert.equal(user?.socialAccounts[0]?.socialId, "110169484474386276334");
    assert.equal(user?.socialAccounts[0]?.emailVerified, true);
    standIn.behaviour.userinfo = says(200, '{"sub":"2","email":"bob@example.com"}');
    const unverified = await client.socialAuth(await beginAt({ client }, "google"));
    assert.equal(unverified.user?.email, "");
    assert.equal(unverified.user?.socialAccounts[0]?.email, "bob@example.com");
    assert.equal(unverified.user?.socialAccounts[0]?.emailVerified, false);
  });

  test("must put the nonce that it was given into its ID token", async (t) => {
    const { client, standIn } = await startGoogleRoom(t);
    const begun = await beginAt({ client }, "google");
    const payload = Buffer.from('{"nonce":"another"}').toString("base64url");
    const body = { access_token: "t", id_token: `e30.${payload}.s` };
    standIn.behaviour.token = says(200, JSON.stringify(body));
    await refused(client.socialAuth(begun), "SOCIAL_AUTH_ERROR");
  });

  test("is not asked for a refresh token with offline set to false", async (t) => {
    const { client } = await startGoogleRoom(t, { offline: false });
    const request = { provider: "google", redirectUri: REDIRECT_URI };
    const { searchParams } = new URL((await client.getSocialAuthUrl(request)).url);
    assert.equal(searchParams.get("access_type"), "online");
    assert.equal(searchParams.has("prompt"), false);
  });

  test("may write a profile in every wrong way, and the user signs in all the same", async (t) => {
    const { client, standIn } = await startGoogleRoom(t);
    const profile = {
      sub: "1",
      email: "not an email",
      email_verified: "true",
      given_name: 5,
      family_name: "L\0ee",
      picture: "javascript:alert(1)",
      locale: ["de"],
    };
    standIn.behaviour.userinfo = says(200, JSON.stringify(profile));
    const { user } = await client.socialAuth(await beginAt({ client }, "google"));
    assert.equal(user?.email, "");
    assert.equal(user?.socialAccounts[0]?.emailVerified, false);
    const { $typeName, ...told } = user?.profile ?? { $typeName: "" };
    const clean = { firstName: "", lastName: "Lee", picture: "", locale: "", attributes: {} };
    assert.deepEqual(told, clean);
  });
});

describe("VK ID", () => {
  test("is asked as documented: the device and the state come with the code", async (t) => {
    const { client, standIn } = await startVkRoom(t);
    const request = { provider: "vk", redirectUri: REDIRECT_URI };
    const page = new URL((await client.getSocialAuthUrl(request)).url);
    assert.equal(page.href.split("?")[0], `${standIn.url}/id/authorize`);
    assert.equal(page.searchParams.get("scope"), "email");
    assert.equal(page.searchParams.get("code_challenge_method"), "S256");
    const begun = await beginAt({ client }, "vk");
    assert.equal(begun.deviceId, "device-1");
    await client.socialAuth(begun);
    const [token, userInfo, ...more] = standIn.asked;
    assert.deepEqual(more, []);
    const { code_verifier, ...form } = Object.fromEntries(token?.form ?? []);
    assert.ok(code_verifier);
    assert.deepEqual(form, {
      grant_type: "authorization_code",
      client_id: standIn.settings.clientId,
      service_token: standIn.clientSecret,
      redirect_uri: REDIRECT_URI,
      device_id: "device-1",
      state: begun.state,
      code: begun.code,
    });
    assert.equal(userInfo?.method, "POST");
    const asked = Object.fromEntries(userInfo?.form ?? []);
    assert.deepEqual(Object.keys(asked).sort(), ["access_token", "client_id"]);
  });

  test("signs a user in whose email it does not vouch for, unless trust_email is set", async (t) => {
    const careful = await startVkRoom(t);
    const { user } = await careful.client.socialAuth(await beginAt(careful, "vk"));
    assert.equal(user?.email, "");
    assert.equal(user?.profile?.firstName, "Аня");
    assert.equal(user?.profile?.picture, "https://sun1.userapi.com/a.jpg");
    assert.equal(user?.socialAccounts[0]?.socialId, "1234567890");
    assert.equal(user?.socialAccounts[0]?.email, "ann@example.com");
    assert.equal(user?.socialAccounts[0]?.emailVerified, false);
    const trusting = await startVkRoom(t, { trustEmail: true });
    const trusted = await trusting.client.socialAuth(await beginAt(trusting, "vk"));
    assert.equal(trusted.user?.email, "ann@example.com");
  });

  test("wants the device id, and without one the state and the code stay good", async (t) => {
    const { client, standIn } = await startVkRoom(t);
    const begun = await beginAt({ client }, "vk");
    await refused(client.socialAuth({ ...begun, deviceId: "" }), "INVALID_PARAMS", "device_id");
    assert.deepEqual(standIn.asked, []);
    await client.socialAuth(begun);
  });

  test("refuses a code with another device's id", async (t) => {
    const { client } = await startVkRoom(t);
    const begun = await beginAt({ client }, "vk");
    const call = client.socialAuth({ ...begun, deviceId: "device-2" });
    await refused(call, "SOCIAL_AUTH_ERROR");
  });
});

describe("VK by the classic flow", () => {
  test("is asked as documented: the email comes with the token", async (t) => {
    const { client, standIn } = await startVkRoom(t, { trustEmail: true }, "classic");
    const request = { provider: "vk", redirectUri: REDIRECT_URI };
    const page = new URL((await client.getSocialAuthUrl(request)).url);
    assert.equal(page.href.split("?")[0], `${standIn.url}/oauth/authorize`);
    assert.equal(page.searchParams.get("scope"), "email,offline");
    const begun = await beginAt({ client }, "vk");
    const { user } = await client.socialAuth({ ...begun, deviceId: "" });
    assert.equal(user?.email, "ann@example.com");
    assert.equal(user?.profile?.lastName, "Ли");
    assert.equal(user?.socialAccounts[0]?.socialId, "1234567890");
    const [token, users] = standIn.asked;
    assert.equal(token?.method, "GET");
    const { code_verifier, ...query } = Object.fromEntries(token?.url.searchParams ?? []);
    assert.equal(challengeOf(code_verifier).length, 43);
    assert.deepEqual(query, {
      client_id: standIn.settings.clientId,
      client_secret: standIn.clientSecret,
      redirect_uri: REDIRECT_URI,
      code: begun.code,
    });
    assert.equal(users?.method, "POST");
    assert.equal(users?.url.search, "", "the token is not in the URL");
  });

  test("keeps ids to the digit that came as bare numbers", async (t) => {
    const { client, standIn } = await startVkRoom(t, {}, "classic");
    for (const id of ["18014398509481985", "18014398509481984"]) {
      standIn.behaviour.usersGet = says(200, `{"response":[{"id":${id}}]}`);
      const { user, created } = await client.socialAuth(await beginAt({ client }, "vk"));
      assert.equal(created, true);
      assert.equal(user?.socialAccounts[0]?.socialId, id);
    }
  });
});
