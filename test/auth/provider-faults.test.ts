import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { Reason } from "../../src/errors.ts";
import {
  type Answer,
  drips,
  hangs,
  hangsInTheBody,
  hangsUp,
  oauthException,
  says,
  sends,
} from "./graph-stand-in.ts";
import {
  beginAtFacebook,
  CLIENT_SECRET,
  type Room,
  refused,
  startRoom,
  TIMEOUT_MS,
} from "./room.ts";

/** Tells everything it was asked, as an error page may. */
const quotesTheRequest: Answer = (response, request) =>
  says(500, `<html><pre>${request.url}</pre></html>`, "text/html")(response, request);

/** The same in a well-formed refusal. */
const quotesInARefusal: Answer = (response, request) => {
  const error = { message: request.url, type: request.url, code: 2, fbtrace_id: request.url };
  says(400, JSON.stringify({ error }))(response, request);
};

const redirects: Answer = (response) =>
  response.writeHead(302, { location: "/me?fields=id" }).end('{"access_token":"t","id":"1"}');

/** What either call can do wrong, and it is SOCIAL_AUTH_ERROR. */
const faults: Readonly<Record<string, Answer>> = {
  "never answers": hangs,
  "stops in the middle of the body": hangsInTheBody,
  "drips bytes for ever": drips,
  "hangs up": hangsUp,
  "answers 500": says(500, '{"error":{"message":"down","code":2}}'),
  "answers 500 with an id and a token": says(500, '{"access_token":"t","id":"1"}'),
  "answers HTML": says(200, "<!doctype html><title>Sorry</title>", "text/html"),
  "answers half a JSON": says(200, '{"access_token":"t","id":"1'),
  "answers nothing": says(200, ""),
  "answers a JSON that is no object": says(200, '["access_token","id"]'),
  "answers null": says(200, "null"),
  "answers an object without what was asked": says(200, "{}"),
  "answers 100 MB": sends(100 * 1024 * 1024),
  "answers a little more than 1 MiB": sends(1024 * 1024 + 64 * 1024),
  redirects,
  "is over its limits": oauthException(4),
  "quotes the request in an error page": quotesTheRequest,
  "quotes the request in a refusal": quotesInARefusal,
};

const tokenFaults: Readonly<Record<string, Answer>> = {
  ...faults,
  "does not know the application": oauthException(101),
  "refuses the client secret": oauthException(1),
  "gives an empty token": says(200, '{"access_token":""}'),
  "gives a token that is no text": says(200, '{"access_token":{"a":1}}'),
};

const profileFaults: Readonly<Record<string, Answer>> = {
  ...faults,
  "refuses the token": oauthException(190),
  "tells no id": says(200, '{"first_name":"Ann"}'),
  "tells an empty id": says(200, '{"id":""}'),
  "tells null for an id": says(200, '{"id":null}'),
  "tells an id that is no id": says(200, '{"id":{"toString":"1"}}'),
  "tells an id with a fraction": says(200, '{"id":1.5}'),
  "tells an id with NUL": says(200, '{"id":"1\\u0000"}'),
  "tells an endless id": says(200, `{"id":"${"1".repeat(256)}"}`),
};

/** What Facebook answers when the code is at fault. */
const codeRefusals: Readonly<Record<string, Answer>> = {
  "says that the code is malformed": oauthException(100),
  "says that the code is over": oauthException(100, 36007),
  "says that the code is for another redirect URI": oauthException(100, 36008),
  "says that the code was used": oauthException(100, 36009),
  "says that the login is over": oauthException(190, 463),
  "refuses without a number": says(400, '{"error":{"message":"words","type":"OAuthException"}}'),
  "refuses in the words of RFC 6749": says(400, '{"error":"invalid_grant"}'),
};

/** Signs in and expects the reason in time, with no secret told to the caller or the log. */
async function expectFailure(room: Room, reason: Reason): Promise<void> {
  const begun = await beginAtFacebook(room);
  const start = performance.now();
  const error = await refused(room.client.socialAuth(begun), reason);
  const elapsed = performance.now() - start;
  assert.ok(elapsed < TIMEOUT_MS + 1_000, `it took ${elapsed} ms`);

  const asked = room.graph.asked.flatMap(({ url }) => [
    url.searchParams.get("access_token"),
    url.searchParams.get("appsecret_proof"),
    url.searchParams.get("code_verifier"),
  ]);
  const known = [CLIENT_SECRET, begun.code, begun.state, ...asked];
  const secrets = known.filter((secret) => secret !== null);
  assert.ok(room.logged.length > 0, "the log has the detail");
  const told = [...room.logged, JSON.stringify(error), error.message, String(error.details)];
  for (const secret of secrets) {
    for (const text of told) assert.equal(text.includes(secret), false, text);
  }
}

const matrix = [
  { step: "token", answers: tokenFaults, reason: "SOCIAL_AUTH_ERROR" },
  { step: "token", answers: codeRefusals, reason: "WRONG_AUTH_CODE" },
  { step: "me", answers: profileFaults, reason: "SOCIAL_AUTH_ERROR" },
] as const;

for (const { step, answers, reason } of matrix) {
  const call = step === "token" ? "asked for a token" : "asked for the profile";
  describe(`Facebook, ${call}, gives ${reason} when it`, () => {
    for (const [words, answer] of Object.entries(answers)) {
      test(words, async (t) => {
        const room = await startRoom(t);
        room.graph.behaviour[step] = answer;
        await expectFailure(room, reason);
        room.graph.behaviour[step] = undefined;
        await room.client.socialAuth(await beginAtFacebook(room));
      });
    }
  });
}

test("a Facebook that refuses connections gives SOCIAL_AUTH_ERROR", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const room = await startRoom(t, { facebook: { graphUrl: `http://127.0.0.1:${port}` } });
  await expectFailure(room, "SOCIAL_AUTH_ERROR");
});

test("a Facebook whose name nobody knows gives SOCIAL_AUTH_ERROR", async (t) => {
  const room = await startRoom(t, { facebook: { graphUrl: "http://graph.invalid/v1/" } });
  await expectFailure(room, "SOCIAL_AUTH_ERROR");
});

test("a redirect is not followed", async (t) => {
  const room = await startRoom(t);
  room.graph.behaviour.token = redirects;
  await expectFailure(room, "SOCIAL_AUTH_ERROR");
  assert.deepEqual(
    room.graph.asked.map(({ url }) => url.pathname),
    ["/oauth/access_token"],
  );
});

test("an answer that is too large is given up early", async (t) => {
  const room = await startRoom(t);
  const size = 100 * 1024 * 1024;
  const sent = new Promise<number>((resolve) => {
    room.graph.behaviour.token = (response, request) => {
      const { socket } = request;
      socket.on("close", () => resolve(socket.bytesWritten));
      sends(size)(response, request);
    };
  });
  await expectFailure(room, "SOCIAL_AUTH_ERROR");
  assert.ok((await sent) < size / 2);
});

test("a caller that gives up ends the request to the provider", async (t) => {
  const room = await startRoom(t, { facebook: { requestTimeoutMs: 60_000 } });
  const begun = await beginAtFacebook(room);
  const gaveUp = new AbortController();
  const closed = new Promise<void>((resolve) => {
    room.graph.behaviour.token = (response) => {
      response.on("close", resolve);
      gaveUp.abort();
    };
  });
  await assert.rejects(room.client.socialAuth(begun, { signal: gaveUp.signal }));
  await closed;
});
