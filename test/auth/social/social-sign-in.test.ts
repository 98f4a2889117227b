import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { UserState } from "../../../gen/usher/auth/v1/user_pb.ts";
import {
  beginAtFacebook,
  browse,
  CLIENT_SECRET,
  DAY,
  MINUTE,
  REDIRECT_URI,
  refused,
  signInAtFacebook,
  startRoom,
} from "../room.ts";
import { says } from "../stand-in.ts";

describe("GetSocialAuthUrl", () => {
  test("gives Facebook's page with state, scopes and a PKCE challenge, and no secret", async (t) => {
    const { client, graph } = await startRoom(t);
    const request = { provider: "facebook", redirectUri: REDIRECT_URI };
    const { url, state } = await client.getSocialAuthUrl(request);
    assert.ok(url.startsWith(`${graph.authUrl}?`));
    const { code_challenge, ...parameters } = Object.fromEntries(new URL(url).searchParams);
    assert.match(state, /^[A-Za-z0-9_-]{43}$/);
    assert.match(code_challenge ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(parameters, {
      client_id: "1234567890",
      redirect_uri: REDIRECT_URI,
      response_type: "code",
      scope: "email,public_profile",
      state,
      code_challenge_method: "S256",
    });
    const again = await client.getSocialAuthUrl(request);
    assert.notEqual(again.state, state);
    assert.notEqual(new URL(again.url).searchParams.get("code_challenge"), code_challenge);
    assert.deepEqual(graph.asked, []);
  });

  test("takes no redirect URI but the configured, character for character", async (t) => {
    const { client } = await startRoom(t);
    const others = [`${REDIRECT_URI}/`, `${REDIRECT_URI}?a=b`, "HTTPS://app.example/back", "x"];
    for (const redirectUri of others) {
      const call = client.getSocialAuthUrl({ provider: "facebook", redirectUri });
      await refused(call, "INVALID_PARAMS", "redirect_uri");
    }
    const second = { provider: "facebook", redirectUri: "https://other.example/back" };
    await client.getSocialAuthUrl(second);
  });

  test("a provider nobody knows is WRONG_PROVIDER, in both calls", async (t) => {
    const { client } = await startRoom(t);
    for (const provider of ["myspace", "Facebook", "facebook ", "__proto__"]) {
      await refused(client.getSocialAuthUrl({ provider, redirectUri: "x" }), "WRONG_PROVIDER");
      await refused(client.socialAuth({ provider, code: "c", state: "s" }), "WRONG_PROVIDER");
    }
  });

  for (const missing of [{ clientId: "" }, { clientSecret: "" }, { redirectUris: [] }]) {
    const [setting] = Object.keys(missing);
    test(`a provider without ${setting} is IMPROPERLY_CONFIGURED, in both calls`, async (t) => {
      const { client } = await startRoom(t, { facebook: missing });
      const begin = { provider: "facebook", redirectUri: REDIRECT_URI };
      await refused(client.getSocialAuthUrl(begin), "IMPROPERLY_CONFIGURED");
      const end = { provider: "facebook", code: "c", state: "s" };
      await refused(client.socialAuth(end), "IMPROPERLY_CONFIGURED");
    });
  }
});

describe("SocialAuth", () => {
  test("signs a new user in through Facebook", async (t) => {
    const room = await startRoom(t);
    const { client, clock } = room;
    const answer = await client.socialAuth({
      ...(await beginAtFacebook(room, "/cart?item=1")),
      device: "Firefox",
      address: "192.0.2.7",
    });
    const { user, session } = answer;
    assert.equal(answer.created, true);
    assert.equal(answer.clientState, "/cart?item=1");
    assert.equal(user?.active, true);
    assert.equal(user?.state, UserState.ACTIVE);
    assert.equal(user?.profile?.firstName, "Ann");
    assert.equal(user?.profile?.lastName, "Lee");
    const [account] = user?.socialAccounts ?? [];
    assert.equal(account?.provider, "facebook");
    assert.equal(account?.socialId, "10226");
    assert.equal(account?.email, "ann@example.com");
    assert.equal(session?.provider, "facebook");
    assert.equal(session?.device, "Firefox");
    assert.equal(session?.address, "192.0.2.7");
    assert.equal(Number(session?.expireTime?.seconds) * 1000, clock.now() + 7 * DAY);
    assert.equal(
      (await client.getUser({ key: { case: "userId", value: user?.id ?? "" } })).user?.id,
      user?.id,
    );
  });

  test("signs the same user in again, with what Facebook tells now", async (t) => {
    const room = await startRoom(t);
    const first = await room.client.socialAuth(await beginAtFacebook(room));
    room.graph.behaviour.me = says(200, '{"id":"10226","first_name":"Anna"}');
    const again = await room.client.socialAuth(await beginAtFacebook(room));
    assert.equal(again.created, false);
    assert.equal(again.user?.id, first.user?.id);
    assert.equal(again.user?.profile?.firstName, "Anna");
    assert.equal(again.user?.profile?.lastName, "Lee");
    assert.notEqual(again.session?.id, first.session?.id);
  });

  test("asks the Graph API as documented: secret, verifier and proof", async (t) => {
    const room = await startRoom(t);
    const { url } = await room.client.getSocialAuthUrl({
      provider: "facebook",
      redirectUri: REDIRECT_URI,
    });
    const { code, state } = await browse(url);
    await room.client.socialAuth({ provider: "facebook", code, state });
    const [token, me, ...more] = room.graph.asked;
    assert.deepEqual(more, []);
    assert.equal(token?.method, "GET");
    assert.equal(token?.url.pathname, "/oauth/access_token");
    const asked = Object.fromEntries(token?.url.searchParams ?? []);
    const { code_verifier = "", ...rest } = asked;
    assert.deepEqual(rest, {
      client_id: "1234567890",
      client_secret: CLIENT_SECRET,
      redirect_uri: REDIRECT_URI,
      code,
    });
    const challenge = createHash("sha256").update(code_verifier).digest("base64url");
    assert.equal(challenge, new URL(url).searchParams.get("code_challenge"));
    assert.equal(me?.url.pathname, "/me");
    const {
      access_token = "",
      fields,
      appsecret_proof,
    } = Object.fromEntries(me?.url.searchParams ?? []);
    assert.equal(fields, "id,email,first_name,last_name");
    const proof = createHmac("sha256", CLIENT_SECRET).update(access_token).digest("hex");
    assert.equal(appsecret_proof, proof);
  });

  test("an email that Facebook tells is not the user's own, unless trust_email is set", async (t) => {
    const careful = await startRoom(t);
    const { user } = await careful.client.socialAuth(await beginAtFacebook(careful));
    assert.equal(user?.email, "");
    assert.equal(user?.socialAccounts[0]?.emailVerified, false);
    const trusting = await startRoom(t, { facebook: { trustEmail: true } });
    const trusted = await trusting.client.socialAuth(await beginAtFacebook(trusting));
    assert.equal(trusted.user?.email, "ann@example.com");
    assert.equal(trusted.user?.socialAccounts[0]?.emailVerified, true);
    const byEmail = { key: { case: "email", value: " ANN@Example.com " } } as const;
    assert.equal((await trusting.client.getUser(byEmail)).user?.id, trusted.user?.id);
  });

  test("a user without an email signs in all the same", async (t) => {
    const room = await startRoom(t, { person: { id: "7", first_name: "Bo" } });
    const { user } = await room.client.socialAuth(await beginAtFacebook(room));
    assert.equal(user?.email, "");
    assert.equal(user?.socialAccounts[0]?.email, "");
    assert.equal(user?.profile?.firstName, "Bo");
  });

  test("an id is kept to the digit, as a string or as a bare number", async (t) => {
    const room = await startRoom(t);
    const ids = ["10226000000000000001", "10226000000000000002", "9007199254740993", "5"];
    for (const id of ids) {
      for (const body of [`{"id":${id}}`, `{"id":"${id}"}`]) {
        room.graph.behaviour.me = says(200, body);
        const answer = await room.client.socialAuth(await beginAtFacebook(room));
        assert.equal(answer.user?.socialAccounts[0]?.socialId, id);
        assert.equal(answer.created, body === `{"id":${id}}`);
      }
    }
  });

  test("hostile words in a profile are stored clean and short", async (t) => {
    const room = await startRoom(t);
    const person = { id: "1", first_name: "A\0\ud800n", last_name: "x".repeat(5_000), email: "no" };
    room.graph.behaviour.me = says(200, JSON.stringify(person));
    const { user } = await room.client.socialAuth(await beginAtFacebook(room));
    assert.equal(user?.profile?.firstName, "A\ufffdn");
    assert.equal(user?.profile?.lastName, "");
    assert.equal(user?.socialAccounts[0]?.email, "");
  });

  test("a deactivated user is USER_NOT_ACTIVE and stays so", async (t) => {
    const room = await startRoom(t);
    const { user } = await room.client.socialAuth(await beginAtFacebook(room));
    await room.repository.deactivateUser({ userId: user?.id ?? "", now: room.clock.now() });
    await refused(room.client.socialAuth(await beginAtFacebook(room)), "USER_NOT_ACTIVE");
  });

  test("two sign-ins of one new user at once make one user", async (t) => {
    const room = await startRoom(t);
    const begun = await Promise.all([beginAtFacebook(room), beginAtFacebook(room)]);
    const answers = await Promise.all(begun.map((request) => room.client.socialAuth(request)));
    assert.equal(new Set(answers.map(({ user }) => user?.id)).size, 1);
    assert.deepEqual(answers.map(({ created }) => created).sort(), [false, true]);
  });

  test("tokens, states and the provider's token are nowhere in the data as they are", async (t) => {
    const room = await startRoom(t);
    await room.client.getSocialAuthUrl({ provider: "facebook", redirectUri: REDIRECT_URI });
    const { state, ...begun } = await beginAtFacebook(room);
    const { session } = await room.client.socialAuth({ ...begun, state });
    const providerToken = room.graph.asked.at(-1)?.url.searchParams.get("access_token");
    assert.ok(session && providerToken);
    const files = readdirSync(room.folder).map((name) => readFileSync(join(room.folder, name)));
    for (const secret of [session.token, state, providerToken, CLIENT_SECRET]) {
      for (const bytes of files) assert.equal(bytes.includes(secret), false);
    }
  });
});

describe("The state of a social sign-in", () => {
  test("missing, unknown, used or over is WRONG_STATE, and the code is not exchanged", async (t) => {
    const room = await startRoom(t);
    const { client, clock, graph } = room;
    const begun = await beginAtFacebook(room);
    await refused(client.socialAuth({ ...begun, state: "" }), "WRONG_STATE");
    await refused(client.socialAuth({ ...begun, state: "unknown" }), "WRONG_STATE");
    await refused(client.socialAuth({ ...begun, state: begun.state.slice(1) }), "WRONG_STATE");
    assert.deepEqual(graph.asked, []);
    await client.socialAuth(begun);
    const exchanged = graph.asked.length;
    await refused(client.socialAuth(begun), "WRONG_STATE");
    const late = await beginAtFacebook(room);
    clock.step(10 * MINUTE);
    await refused(client.socialAuth(late), "WRONG_STATE");
    assert.equal(graph.asked.length, exchanged);
  });

  test("is used up by a sign-in that fails", async (t) => {
    const room = await startRoom(t);
    const begun = await beginAtFacebook(room);
    await refused(room.client.socialAuth({ ...begun, code: "wrong" }), "WRONG_AUTH_CODE");
    await refused(room.client.socialAuth(begun), "WRONG_STATE");
  });

  test("is good once when calls race for it", async (t) => {
    const room = await startRoom(t);
    const begun = await beginAtFacebook(room);
    const calls = Array.from({ length: 5 }, () => room.client.socialAuth(begun));
    const outcomes = await Promise.allSettled(calls);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal(room.graph.asked.length, 2);
  });

  test("may be missing with allow_unsolicited_codes, but not wrong", async (t) => {
    const room = await startRoom(t, { facebook: { allowUnsolicitedCodes: true } });
    const page = new URL(room.graph.authUrl);
    page.searchParams.set("client_id", "1234567890");
    page.searchParams.set("redirect_uri", REDIRECT_URI);
    const { code } = await browse(page.href);
    const wrong = { provider: "facebook", code, state: "unknown" };
    await refused(room.client.socialAuth(wrong), "WRONG_STATE");
    const { user, clientState } = await room.client.socialAuth({ provider: "facebook", code });
    assert.equal(user?.active, true);
    assert.equal(clientState, "");
    const [token] = room.graph.asked;
    assert.equal(token?.url.searchParams.get("redirect_uri"), REDIRECT_URI);
    assert.equal(token?.url.searchParams.has("code_verifier"), false);
  });

  test("comes with a nonce that Facebook's answer must have, where openid is among the scopes", async (t) => {
    const room = await startRoom(t, { facebook: { scopes: ["openid", "email"] } });
    const idToken = (nonce: string): string =>
      `e30.${Buffer.from(JSON.stringify({ nonce })).toString("base64url")}.sig`;
    const begin = async (): Promise<{ nonce: string; state: string }> => {
      const request = { provider: "facebook", redirectUri: REDIRECT_URI };
      const { url, state } = await room.client.getSocialAuthUrl(request);
      return { nonce: new URL(url).searchParams.get("nonce") ?? "", state };
    };
    room.graph.behaviour.me = says(200, '{"id":"1"}');
    const good = await begin();
    assert.match(good.nonce, /^[A-Za-z0-9_-]{43}$/);
    const answered = { access_token: "t", id_token: idToken(good.nonce) };
    room.graph.behaviour.token = says(200, JSON.stringify(answered));
    await room.client.socialAuth({ provider: "facebook", code: "c", state: good.state });
    const bodies = [answered, { access_token: "t" }, { access_token: "t", id_token: "junk" }];
    for (const body of bodies) {
      const { state } = await begin();
      room.graph.behaviour.token = says(200, JSON.stringify(body));
      const call = room.client.socialAuth({ provider: "facebook", code: "c", state });
      await refused(call, "SOCIAL_AUTH_ERROR");
    }
  });
});

test("signing in opens a session that CheckSession and SignOut know", async (t) => {
  const room = await startRoom(t);
  const token = await signInAtFacebook(room);
  const { user, session } = await room.client.checkSession({ token });
  assert.equal(user?.socialAccounts[0]?.socialId, "10226");
  assert.equal(session?.token, "");
  await room.client.signOut({ token });
  await refused(room.client.checkSession({ token }), "NOT_AUTHENTICATED");
});
