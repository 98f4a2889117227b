import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";

import { oauthException } from "../graph-stand-in.ts";
import {
  type ProviderRoom,
  startGoogleRoom,
  startOpenIdRoom,
  startVkRoom,
} from "../provider-rooms.ts";
import {
  beginAt,
  CLIENT_SECRET,
  DAY,
  MINUTE,
  refused,
  signInAtFacebook,
  startRoom,
} from "../room.ts";
import { type Answer, answerJson, hangs, hangsUp, quotesInARefusal, says } from "../stand-in.ts";

const CHECK_EVERY = 2 * DAY;

interface CheckedRoom extends ProviderRoom {
  /** The user takes back what was consented to. */
  withdraw(): void;
  /** The call that a check asks first, and the one that tells the profile. */
  readonly firstCall: string;
  readonly profileCall: string;
}

/** Every provider that can be asked again. */
const rooms: Readonly<Record<string, (t: TestContext) => Promise<CheckedRoom>>> = {
  async Facebook(t) {
    const room = await startRoom(t);
    return {
      ...room,
      provider: "facebook",
      standIn: room.graph,
      clientSecret: CLIENT_SECRET,
      firstCall: "me",
      profileCall: "me",
      withdraw: () => {
        room.graph.behaviour.me = oauthException(190, 458);
      },
    };
  },
  async Google(t) {
    const room = await startGoogleRoom(t);
    const calls = { firstCall: "token", profileCall: "userinfo" };
    return { ...room, ...calls, withdraw: () => room.standIn.grants.withdraw() };
  },
  async "VK ID"(t) {
    const room = await startVkRoom(t);
    const calls = { firstCall: "token", profileCall: "userInfo" };
    return { ...room, ...calls, withdraw: () => room.standIn.grants.withdraw() };
  },
  async "VK by the classic flow"(t) {
    const room = await startVkRoom(t, {}, "classic");
    const calls = { firstCall: "usersGet", profileCall: "usersGet" };
    return { ...room, ...calls, withdraw: () => room.standIn.grants.withdraw() };
  },
  async "an OpenID provider"(t) {
    const room = await startOpenIdRoom(t, { scopes: ["openid", "email", "offline_access"] });
    const calls = { firstCall: "token", profileCall: "userinfo" };
    return { ...room, ...calls, withdraw: () => room.standIn.grants.withdraw() };
  },
};

async function signIn(room: ProviderRoom): Promise<string> {
  const { session } = await room.client.socialAuth(await beginAt(room, room.provider));
  assert.ok(session?.token);
  return session.token;
}

/** What a provider may do that has nothing to do with the user's consent. */
const troubles: Readonly<Record<string, Answer>> = {
  "never answers": hangs,
  "hangs up": hangsUp,
  "answers 500": says(500, "{}"),
  "answers HTML": says(200, "<title>Sorry</title>", "text/html"),
  "answers an object without what was asked": says(200, "{}"),
  "is over its limits": says(429, '{"error":"slow_down"}'),
  "refuses the application": says(401, '{"error":"invalid_client"}'),
  "quotes the request in a refusal": quotesInARefusal,
};

for (const [name, start] of Object.entries(rooms)) {
  describe(`A session through ${name}`, () => {
    test("is checked there every two days, and shows the profile as it is now", async (t) => {
      const room = await start(t);
      const { client, clock, standIn } = room;
      const token = await signIn(room);
      const asked = standIn.asked.length;
      clock.step(CHECK_EVERY - 1);
      await client.checkSession({ token });
      assert.equal(standIn.asked.length, asked);
      clock.step(1);
      const checked = await client.checkSession({ token });
      assert.ok(standIn.asked.length > asked);
      const after = standIn.asked.length;
      assert.equal(checked.session?.token, "");
      clock.step(DAY);
      await client.checkSession({ token });
      assert.equal(standIn.asked.length, after);
      clock.step(DAY);
      const { session } = await client.checkSession({ token });
      assert.ok(standIn.asked.length > after, "what was refreshed works again");
      assert.ok(session);
    });

    test("is over when consent is withdrawn, on every device, and may be opened again", async (t) => {
      const room = await start(t);
      const { client, clock } = room;
      const tokens = [await signIn(room), await signIn(room)];
      room.withdraw();
      clock.step(CHECK_EVERY);
      for (const token of tokens) {
        await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
      }
      room.standIn.behaviour[room.profileCall] = undefined;
      const { user } = await client.checkSession({ token: await signIn(room) });
      assert.equal(user?.socialAccounts.length, 1);
    });

    test("goes on while the provider is in trouble, which is asked again a minute later", async (t) => {
      const room = await start(t);
      const { client, clock, standIn } = room;
      const token = await signIn(room);
      clock.step(CHECK_EVERY);
      for (const trouble of Object.values(troubles)) {
        for (const call of new Set([room.firstCall, room.profileCall])) {
          standIn.behaviour[call] = trouble;
          const before = standIn.asked.length;
          await client.checkSession({ token });
          const after = standIn.asked.length;
          assert.ok(after > before);
          await client.checkSession({ token });
          clock.step(MINUTE - 1);
          await client.checkSession({ token });
          assert.equal(standIn.asked.length, after);
          clock.step(1);
          standIn.behaviour[call] = undefined;
        }
      }
      const before = standIn.asked.length;
      await client.checkSession({ token });
      assert.ok(standIn.asked.length > before);
      room.withdraw();
      clock.step(CHECK_EVERY);
      await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
    });

    test("goes on where the provider tells of another user than it was asked", async (t) => {
      const room = await start(t);
      const { client, clock, standIn } = room;
      const token = await signIn(room);
      const before = await client.checkSession({ token });
      clock.step(CHECK_EVERY);
      const other = { sub: "2", id: "2", user: { user_id: "2" }, response: [{ id: 2 }] };
      standIn.behaviour[room.profileCall] = (response) => answerJson(response, 200, other);
      const { user } = await client.checkSession({ token });
      assert.deepEqual(user, before.user);
    });

    test("that many check at once makes one call there", async (t) => {
      const room = await start(t);
      const { client, clock, standIn } = room;
      const tokens = [await signIn(room), await signIn(room)];
      clock.step(CHECK_EVERY);
      const before = standIn.asked.length;
      const checks = Array.from({ length: 20 }, (_, nth) =>
        client.checkSession({ token: tokens[nth % 2] ?? "" }),
      );
      await Promise.all(checks);
      const calls = standIn.asked.slice(before).map(({ url }) => url.pathname);
      assert.ok(calls.length > 0);
      assert.deepEqual(calls, [...new Set(calls)]);
    });

    test("tells no secret in the log, whatever the provider does", async (t) => {
      const room = await start(t);
      const { client, clock, standIn } = room;
      const token = await signIn(room);
      clock.step(CHECK_EVERY);
      for (const call of new Set([room.firstCall, room.profileCall])) {
        standIn.behaviour[call] = quotesInARefusal;
        await client.checkSession({ token });
        clock.step(MINUTE);
        standIn.behaviour[call] = undefined;
      }
      const names = ["refresh_token", "access_token", "appsecret_proof", "service_token"];
      const sent = standIn.asked.flatMap(({ url, form, authorization }) => [
        authorization.replace(/^\w+ /, ""),
        ...names.flatMap((name) => [url.searchParams.get(name), form.get(name)]),
      ]);
      const secrets = sent.filter((secret): secret is string => !!secret);
      assert.ok(secrets.length > 0);
      for (const secret of [room.clientSecret, token, ...secrets]) {
        for (const line of room.logged) assert.equal(line.includes(secret), false, line);
      }
    });
  });
}

test("the profile is brought up to date by a check", async (t) => {
  const room = await startRoom(t);
  const { client, clock, graph } = room;
  const token = await signInAtFacebook(room);
  clock.step(CHECK_EVERY);
  graph.behaviour.me = says(200, '{"id":"10226","first_name":"Anna","email":"new@example.com"}');
  const { user } = await client.checkSession({ token });
  assert.equal(user?.profile?.firstName, "Anna");
  assert.equal(user?.profile?.lastName, "Lee");
  assert.equal(user?.socialAccounts[0]?.email, "new@example.com");
  const by = { case: "userId", value: user?.id ?? "" } as const;
  assert.deepEqual((await client.getUser({ key: by })).user, user);
});

test("social_check_time sets how often a provider is asked", async (t) => {
  const room = await startRoom(t, { settings: { socialCheckMs: 10 * MINUTE } });
  const token = await signInAtFacebook(room);
  const asked = room.graph.asked.length;
  room.clock.step(10 * MINUTE - 1);
  await room.client.checkSession({ token });
  assert.equal(room.graph.asked.length, asked);
  room.clock.step(1);
  await room.client.checkSession({ token });
  assert.equal(room.graph.asked.length, asked + 1);
});

test("a session by password is checked nowhere", async (t) => {
  const room = await startGoogleRoom(t);
  const { client, clock, standIn } = room;
  await client.socialAuth(await beginAt(room, "google"));
  const { resetToken } = await client.requestPasswordReset({ email: "ann@example.com" });
  const password = "Correct horse 1";
  const reset = { email: "ann@example.com", resetToken, password };
  await client.completePasswordReset(reset);
  const { session } = await client.signIn({ email: "ann@example.com", password });
  const asked = standIn.asked.length;
  clock.step(4 * DAY);
  await client.checkSession({ token: session?.token ?? "" });
  assert.equal(standIn.asked.length, asked);
});

test("a provider that gave no refresh token cannot be asked, and the session goes on", async (t) => {
  const room = await startOpenIdRoom(t);
  const { client, clock, standIn } = room;
  const token = await signIn(room);
  standIn.grants.withdraw();
  const asked = standIn.asked.length;
  clock.step(CHECK_EVERY);
  await client.checkSession({ token });
  assert.equal(standIn.asked.length, asked);
});

test("a refresh token that works once is replaced, though the profile could not be read", async (t) => {
  const room = await startVkRoom(t);
  const { client, clock, standIn } = room;
  let token = await signIn(room);
  const check = async (): Promise<void> => {
    const { session } = await client.checkSession({ token });
    token = session?.token || token;
  };
  for (let nth = 0; nth < 3; nth++) {
    clock.step(CHECK_EVERY);
    standIn.behaviour.userInfo = says(500, "{}");
    await check();
    standIn.behaviour.userInfo = undefined;
    clock.step(MINUTE);
    await check();
  }
  const used = standIn.asked.map(({ form }) => form.get("refresh_token"));
  const given = used.filter((refreshToken) => refreshToken !== null);
  assert.equal(new Set(given).size, given.length);
  assert.equal(given.length, 6);
});

test("a check that finds consent withdrawn says nothing of who signed in again meanwhile", async (t) => {
  const room = await startGoogleRoom(t);
  const { client, clock, standIn } = room;
  const token = await signIn(room);
  clock.step(CHECK_EVERY);
  let again = "";
  standIn.behaviour.token = async (response) => {
    standIn.behaviour.token = undefined;
    again = await signIn(room);
    answerJson(response, 400, { error: "invalid_grant" });
  };
  await client.checkSession({ token });
  await client.checkSession({ token: again });
});

test("a caller that gives up does not stop a check half-way", async (t) => {
  const room = await startVkRoom(t);
  const { client, clock, standIn } = room;
  const token = await signIn(room);
  clock.step(CHECK_EVERY);
  const gaveUp = new AbortController();
  let finish = (): void => {};
  const asked = new Promise<void>((resolve) => {
    standIn.behaviour.userInfo = (response) => {
      resolve();
      finish = () => answerJson(response, 200, { user: { user_id: "1234567890" } });
    };
  });
  const check = client.checkSession({ token }, { signal: gaveUp.signal });
  await asked;
  gaveUp.abort();
  await assert.rejects(check);
  finish();
  standIn.behaviour.userInfo = undefined;
  clock.step(CHECK_EVERY);
  await client.checkSession({ token });
});
