import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Reason } from "../../../src/base/errors.ts";
import { oauthException } from "../graph-stand-in.ts";
import { type ProviderRoom, providerRooms } from "../provider-rooms.ts";
import { beginAt, REDIRECT_URI, refused, startRoom, TIMEOUT_MS } from "../room.ts";
import {
  type Answer,
  drips,
  hangs,
  hangsInTheBody,
  hangsUp,
  quotesAsTheError,
  quotesInARefusal,
  quotesTheRequest,
  redirects,
  says,
  sends,
} from "../stand-in.ts";

type Faults = Readonly<Record<string, Answer>>;

/** What any call of any provider can do wrong, and it is SOCIAL_AUTH_ERROR. */
const faults: Faults = {
  "never answers": hangs,
  "stops in the middle of the body": hangsInTheBody,
  "drips bytes for ever": drips,
  "hangs up": hangsUp,
  "answers 500": says(500, '{"error":{"message":"down","code":2}}'),
  "answers 500 with an id and a token": says(500, '{"access_token":"t","id":"1","sub":"1"}'),
  "answers HTML": says(200, "<!doctype html><title>Sorry</title>", "text/html"),
  "answers half a JSON": says(200, '{"access_token":"t","id":"1'),
  "answers nothing": says(200, ""),
  "answers 204": says(204, ""),
  "answers a JSON that is no object": says(200, '["access_token","id"]'),
  "answers null": says(200, "null"),
  "answers an object without what was asked": says(200, "{}"),
  "answers what nests without end": says(200, "[".repeat(500_000)),
  "answers 100 MB": sends(100 * 1024 * 1024),
  "answers a little more than 1 MiB": sends(1024 * 1024 + 64 * 1024),
  redirects,
  "is over its limits": says(429, '{"error":"slow_down"}'),
  "quotes the request in an error page": quotesTheRequest,
  "quotes the request in a refusal": quotesInARefusal,
  "quotes the request where a word should be": quotesAsTheError,
};

/** What it can do wrong when it is asked for a token. */
const tokenFaults: Faults = {
  ...faults,
  "does not know the application": says(401, '{"error":"invalid_client"}'),
  "refuses the application": says(400, '{"error":"unauthorized_client"}'),
  "gives an empty token": says(200, '{"access_token":"","token_type":"bearer"}'),
  "gives a token that is no text": says(200, '{"access_token":{"a":1},"token_type":"bearer"}'),
};

const codeRefusals: Faults = {
  "refuses the code": says(400, '{"error":"invalid_grant"}'),
};

/** Ids as a provider can get them wrong; `put` places each in its profile. */
function wrongIds(put: (id: string) => string): Faults {
  const ids = {
    "tells no id": "",
    "tells an empty id": '""',
    "tells null for an id": "null",
    "tells an id that is no id": '{"toString":"1"}',
    "tells an id with a fraction": "1.5",
    "tells an id with NUL": '"1\\u0000"',
    "tells an endless id": `"${"1".repeat(256)}"`,
  };
  return Object.fromEntries(Object.entries(ids).map(([words, id]) => [words, says(200, put(id))]));
}

/** A profile of a field and its value; of nothing without a value. */
function profileOf(field: string): (id: string) => string {
  return (id) => (id === "" ? "{}" : `{"${field}":${id}}`);
}

interface Row {
  readonly call: string;
  readonly words: string;
  readonly answers: Faults;
  readonly reason: Reason;
}

function tokenRows(call: string, ownFaults: Faults, ownRefusals: Faults): Row[] {
  const words = "asked for a token";
  return [
    { call, words, answers: { ...tokenFaults, ...ownFaults }, reason: "SOCIAL_AUTH_ERROR" },
    { call, words, answers: { ...codeRefusals, ...ownRefusals }, reason: "WRONG_AUTH_CODE" },
  ];
}

function profileRow(call: string, ownFaults: Faults): Row {
  const answers = { ...faults, ...ownFaults };
  return { call, words: "asked for the profile", answers, reason: "SOCIAL_AUTH_ERROR" };
}

/** What each provider can do wrong beyond what all can. */
const matrix: Readonly<Record<string, readonly Row[]>> = {
  Facebook: [
    ...tokenRows(
      "token",
      {
        "is over its own limits": oauthException(4),
        "does not know the app": oauthException(101),
        "refuses the app's secret": oauthException(1),
      },
      {
        "says that the code is malformed": oauthException(100),
        "says that the code is over": oauthException(100, 36007),
        "says that the code is for another redirect URI": oauthException(100, 36008),
        "says that the code was used": oauthException(100, 36009),
        "says that the login is over": oauthException(190, 463),
        "refuses without a number": says(400, '{"error":{"type":"OAuthException"}}'),
      },
    ),
    profileRow("me", {
      "refuses the token": oauthException(190),
      ...wrongIds(profileOf("id")),
    }),
  ],
  Google: [
    ...tokenRows("token", { "gives no ID token": says(200, '{"access_token":"t"}') }, {}),
    profileRow("userinfo", {
      "refuses the token": says(401, '{"error":"invalid_request"}'),
      ...wrongIds(profileOf("sub")),
    }),
  ],
  "VK ID": [
    ...tokenRows(
      "token",
      { "refuses with 200": says(200, '{"error":"invalid_client"}') },
      { "refuses the code with 200": says(200, '{"error":"invalid_grant"}') },
    ),
    profileRow("userInfo", {
      "refuses the token": says(200, '{"error":"invalid_token"}'),
      "tells a user that is none": says(200, '{"user":[]}'),
      ...wrongIds((id) => `{"user":${profileOf("user_id")(id)}}`),
    }),
  ],
  "VK by the classic flow": [
    ...tokenRows("accessToken", {}, { "refuses with 401": says(401, '{"error":"invalid_grant"}') }),
    profileRow("usersGet", {
      "refuses the token": says(200, '{"error":{"error_code":5,"error_msg":"words"}}'),
      "tells of nobody": says(200, '{"response":[]}'),
      "tells of something else": says(200, '{"response":{"id":1}}'),
      ...wrongIds((id) => `{"response":[${profileOf("id")(id)}]}`),
    }),
  ],
  "an OpenID provider": [
    {
      call: "discovery",
      words: "asked about itself",
      answers: faults,
      reason: "SOCIAL_AUTH_ERROR",
    },
    ...tokenRows("token", { "gives no ID token": says(200, '{"access_token":"t"}') }, {}),
    {
      call: "keys",
      words: "asked for its keys",
      answers: { ...faults, "has no key": says(200, '{"keys":[]}') },
      reason: "SOCIAL_AUTH_ERROR",
    },
    profileRow("userinfo", {
      "refuses the token": says(401, '{"error":"invalid_token"}'),
      "tells of someone else": says(200, '{"sub":"someone else"}'),
      ...wrongIds(profileOf("sub")),
    }),
  ],
};

/** Whatever no log line and no answer may show. */
const secretNames = [
  "access_token",
  "appsecret_proof",
  "client_secret",
  "code",
  "code_verifier",
  "refresh_token",
  "service_token",
  "state",
];

function secretsOf({ standIn, clientSecret }: ProviderRoom): string[] {
  const sent = standIn.asked.flatMap(({ url, form, authorization }) => [
    authorization.replace(/^\w+ /, ""),
    ...secretNames.flatMap((name) => [url.searchParams.get(name), form.get(name)]),
  ]);
  return [clientSecret, ...sent].filter((secret): secret is string => !!secret);
}

/** What is remembered once it was told. */
const askedOnce = ["discovery", "keys"];

/** Signs in and expects the reason in time, with no secret told to the caller or the log. */
async function expectFailure(room: ProviderRoom, reason: Reason): Promise<void> {
  const loggedBefore = room.logged.length;
  const start = performance.now();
  const signIn = beginAt(room, room.provider).then((begun) => room.client.socialAuth(begun));
  const error = await refused(signIn, reason);
  const elapsed = performance.now() - start;
  assert.ok(elapsed < TIMEOUT_MS + 1_000, `it took ${elapsed} ms`);
  const logged = room.logged.slice(loggedBefore);
  assert.ok(logged.length > 0, "the log has the detail");
  const told = [...logged, JSON.stringify(error), error.message, String(error.details)];
  for (const secret of secretsOf(room)) {
    for (const text of told) assert.equal(text.includes(secret), false, text);
  }
}

for (const [name, start] of Object.entries(providerRooms)) {
  for (const { call, words, answers, reason } of matrix[name] ?? []) {
    test(`${name}, ${words}, gives ${reason} when it`, async (t) => {
      const shared = await start(t);
      for (const [fault, answer] of Object.entries(answers)) {
        await t.test(fault, async (t) => {
          const room = askedOnce.includes(call) ? await start(t) : shared;
          room.standIn.behaviour[call] = answer;
          await expectFailure(room, reason);
          room.standIn.behaviour[call] = undefined;
          await room.client.socialAuth(await beginAt(room, room.provider));
        });
      }
    });
  }

  describe(name, () => {
    test("is nobody who could be asked when it is down, and the log tells why", async (t) => {
      const room = await start(t);
      await room.standIn.close();
      const begin = { provider: room.provider, redirectUri: REDIRECT_URI };
      const begun = await room.client.getSocialAuthUrl(begin).catch(() => undefined);
      if (begun !== undefined) {
        const { state } = begun;
        const end = { provider: room.provider, code: "c", state, deviceId: "d" };
        await refused(room.client.socialAuth(end), "SOCIAL_AUTH_ERROR");
      }
      assert.ok(room.logged.some((line) => line.includes("ECONNREFUSED")));
    });

    test("cannot send Usher elsewhere", async (t) => {
      const room = await start(t);
      const { behaviour, asked } = room.standIn;
      for (const call of Object.keys(callsOf(name))) behaviour[call] = redirects;
      await expectFailure(room, "SOCIAL_AUTH_ERROR");
      assert.equal(asked.length, 1);
    });

    test("cannot make Usher read on and on", async (t) => {
      const room = await start(t);
      const size = 100 * 1024 * 1024;
      const sent = new Promise<number>((resolve) => {
        for (const call of Object.keys(callsOf(name))) {
          room.standIn.behaviour[call] = (response, asked) => {
            const { socket } = asked.request;
            socket.on("close", () => resolve(socket.bytesWritten));
            sends(size)(response, asked);
          };
        }
      });
      await expectFailure(room, "SOCIAL_AUTH_ERROR");
      assert.ok((await sent) < size / 2);
    });

    test("is let go when the caller gives up", async (t) => {
      const room = await start(t, { requestTimeoutMs: 60_000 });
      const begun = await beginAt(room, room.provider);
      const gaveUp = new AbortController();
      const closed = new Promise<void>((resolve) => {
        for (const call of Object.keys(callsOf(name))) {
          room.standIn.behaviour[call] = (response) => {
            response.on("close", resolve);
            gaveUp.abort();
          };
        }
      });
      await assert.rejects(room.client.socialAuth(begun, { signal: gaveUp.signal }));
      await closed;
    });
  });
}

function callsOf(name: string): Readonly<Record<string, true>> {
  const calls = (matrix[name] ?? []).map(({ call }): [string, true] => [call, true]);
  assert.ok(calls.length > 0);
  return Object.fromEntries(calls);
}

test("a provider whose name nobody knows gives SOCIAL_AUTH_ERROR", async (t) => {
  const room = await startRoom(t, { facebook: { graphUrl: "http://graph.invalid/v1/" } });
  const call = room.client.socialAuth(await beginAt(room, "facebook"));
  await refused(call, "SOCIAL_AUTH_ERROR");
});
