import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import type { WatchRevocationsResponse } from "../../gen/usher/auth/v1/sessions_pb.ts";
import type { RunningUsher } from "../../src/app/usher.ts";
import { OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../auth/accounts.ts";
import { startGraph } from "../auth/graph-stand-in.ts";
import { type Doors, race, raceCases } from "../auth/race-cases.ts";
import { CLIENT_SECRET, REDIRECT_URI, refused } from "../auth/room.ts";
import { withoutMongodb } from "../support/mongod.ts";
import { testDatabase } from "../support/mongodb.ts";
import { clientOf, startService } from "../support/service.ts";

const email = "ann@example.com";
const ISSUER = "usher.example";
const AUDIENCE = "services";
/** Of failed sign-ins with one email, within the time that the limit looks at. */
const MOST_FAILURES = 10;

interface Pair {
  readonly ushers: readonly [RunningUsher, RunningUsher];
  readonly doors: readonly [Doors[0], Doors[0]];
}

/** Two whole services on one database, with Facebook's stand-in. */
async function startPair(
  t: TestContext,
  given: Readonly<Record<string, string>> = {},
): Promise<Pair> {
  const app = { clientId: "1234567890", clientSecret: CLIENT_SECRET };
  const graph = await startGraph(app, { id: "10226", email, first_name: "Ann", last_name: "Lee" });
  const env = {
    USHER_STORAGE: await testDatabase(t),
    USHER_AUTH_SEALING_KEYS: randomBytes(32).toString("base64"),
    USHER_AUTH_ISSUER: ISSUER,
    USHER_AUTH_AUDIENCE: AUDIENCE,
    // A hash that costs little, since each case makes many.
    USHER_AUTH_PASSWORD_MEMORY: "1MiB",
    USHER_AUTH_FACEBOOK_CLIENT_ID: app.clientId,
    USHER_AUTH_FACEBOOK_CLIENT_SECRET: app.clientSecret,
    USHER_AUTH_FACEBOOK_REDIRECT_URIS: REDIRECT_URI,
    USHER_AUTH_FACEBOOK_GRAPH_URL: graph.graphUrl,
    USHER_AUTH_FACEBOOK_AUTH_URL: graph.authUrl,
    ...given,
  };
  const ushers = await Promise.all([startService(t, env), startService(t, env)]);
  t.after(() => graph.close());
  return { ushers, doors: [clientOf(ushers[0], AuthService), clientOf(ushers[1], AuthService)] };
}

/** Proves an access token by the key page of an instance. Returns its claims. */
async function verifyAt({ httpAddress }: RunningUsher, token: string) {
  const answer = await fetch(`http://${httpAddress}/.well-known/jwks.json`);
  const keys = createLocalJWKSet((await answer.json()) as JSONWebKeySet);
  return (await jwtVerify(token, keys, { issuer: ISSUER, audience: AUDIENCE })).payload;
}

/** What the next response tells that tells of a revocation; others only move the cursor. */
async function nextRevocation(
  stream: AsyncIterator<WatchRevocationsResponse>,
): Promise<WatchRevocationsResponse["revocation"]> {
  for (;;) {
    const { value, done } = await stream.next();
    assert.equal(done, false);
    if (value.revocation.case !== undefined) return value.revocation;
  }
}

describe("Through two instances in turn", { skip: withoutMongodb }, () => {
  for (const { name, trustEmail = false, run } of raceCases) {
    test(name, async (t) => {
      const given = { USHER_AUTH_FACEBOOK_TRUST_EMAIL: `${trustEmail}` };
      await run((await startPair(t, given)).doors);
    });
  }
});

describe("Two instances", { skip: withoutMongodb }, () => {
  test("check and end the sessions that the other opened", async (t) => {
    const { doors } = await startPair(t);
    const [one, other] = doors;
    const { id: userId } = await signUp(one, email);
    const token = await signIn(one, email);
    assert.equal((await other.checkSession({ token })).user?.id, userId);
    await one.checkSession({ token });
    await other.signOut({ token });
    for (const door of doors) await refused(door.checkSession({ token }), "NOT_AUTHENTICATED");

    const tokens = [await signIn(one, email), await signIn(other, email)];
    for (const door of doors) {
      assert.equal((await door.listSessions({ userId })).sessions.length, tokens.length);
    }
    await other.revokeSessions({ userId });
    for (const door of doors) {
      for (const each of tokens) {
        await refused(door.checkSession({ token: each }), "NOT_AUTHENTICATED");
      }
    }
  });

  test("renew a session once, to one and the same token, whoever is asked", async (t) => {
    const { doors } = await startPair(t, {
      USHER_AUTH_SESSION_LIFE: "604800s",
      // A second after its start or its last renewal a session is due to be renewed.
      USHER_AUTH_SESSION_RENEW_BEFORE: "604799s",
    });
    const [one, other] = doors;
    await signUp(one, email);
    const token = await signIn(one, email);
    await sleep(1_100);
    const checks = Array.from({ length: 8 }, (_, nth) =>
      (nth % 2 === 0 ? one : other).checkSession({ token }),
    );
    const answers = await Promise.all(checks);
    const renewed = new Set(answers.map(({ session }) => session?.token));
    assert.equal(renewed.size, 1);
    const [newToken = ""] = renewed;
    assert.notEqual(newToken, "");
    assert.notEqual(newToken, token);
    const ids = new Set(answers.map(({ session }) => session?.id));
    for (const door of doors) {
      ids.add((await door.checkSession({ token: newToken })).session?.id);
    }
    assert.equal(ids.size, 1);
  });

  test("count failed sign-ins together", async (t) => {
    const { doors } = await startPair(t);
    const [one, other] = doors;
    await signUp(one, email);
    for (let nth = 0; nth < MOST_FAILURES; nth++) {
      const door = nth % 2 === 0 ? one : other;
      await refused(door.signIn({ email, password: OTHER_PASSWORD }), "WRONG_PASSWORD");
    }
    for (const door of doors) {
      await refused(door.signIn({ email, password: PASSWORD }), "TOO_MANY_ATTEMPTS");
    }
  });

  test("count failed sign-ins together that come at the same time", async (t) => {
    const { doors } = await startPair(t);
    await signUp(doors[0], email);
    const outcomes = await race(
      doors,
      (client) => client.signIn({ email, password: OTHER_PASSWORD }),
      2 * MOST_FAILURES,
    );
    assert.deepEqual(outcomes, { WRONG_PASSWORD: MOST_FAILURES, TOO_MANY_ATTEMPTS: MOST_FAILURES });
    for (const door of doors) {
      await refused(door.signIn({ email, password: PASSWORD }), "TOO_MANY_ATTEMPTS");
    }
  });

  test("tell those who watch of what the other revoked", { timeout: 60_000 }, async (t) => {
    const { doors } = await startPair(t);
    const [one, other] = doors;
    const { id: userId } = await signUp(one, email);
    const token = await signIn(one, email);
    const sessionId = (await one.checkSession({ token })).session?.id;
    const left = new AbortController();
    t.after(() => left.abort());
    const stream = other.watchRevocations({}, { signal: left.signal })[Symbol.asyncIterator]();
    // The first response tells only where the stream begins.
    await stream.next();
    await one.signOut({ token });
    const ended = await nextRevocation(stream);
    assert.equal(ended.case, "sessionRevoked");
    assert.equal(ended.value?.userId, userId);
    assert.equal(ended.case === "sessionRevoked" && ended.value.sessionId, sessionId);
    await one.deactivateUser({ userId });
    const deactivated = await nextRevocation(stream);
    assert.equal(deactivated.case, "userRevoked");
    assert.equal(deactivated.value?.userId, userId);
  });

  test("sign access tokens that the other's key page proves", async (t) => {
    const { ushers, doors } = await startPair(t);
    const [one, other] = doors;
    const { id: userId } = await signUp(one, email);
    const token = await signIn(one, email);
    // Both at once, for the first instance that signs makes the key.
    const [here, there] = await Promise.all([
      one.checkSession({ token }),
      other.checkSession({ token }),
    ]);
    for (const { accessToken } of [here, there]) {
      for (const usher of ushers) {
        const { sub, sid } = await verifyAt(usher, accessToken);
        assert.equal(sub, userId);
        assert.equal(sid, here.session?.id);
      }
    }
    const kids = [here, there].map(({ accessToken }) => decodeProtectedHeader(accessToken).kid);
    assert.equal(new Set(kids).size, 1);
  });
});
