import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { createAccessTokens } from "../../../src/auth/access-tokens/access-tokens.ts";
import type { SealingKey } from "../../../src/auth/repository.ts";
import { createSealer } from "../../../src/auth/sealing/sealer.ts";
import { silentLog } from "../../../src/logging/log.ts";
import { createAuthRepository } from "../../../src/storage/sqlite/auth/repository.ts";
import { openDatabase, type SqliteDatabase } from "../../../src/storage/sqlite/database.ts";
import { temporaryFolder } from "../../support/process.ts";
import { StepClock } from "../../support/step-clock.ts";
import { beginAtFacebook, DAY, MINUTE, refused, startRoom } from "../room.ts";

const HOUR = 60 * MINUTE;
const first: SealingKey = { id: "k1", secret: randomBytes(32) };

const expected = { issuer: "usher.example", audience: "services", algorithms: ["EdDSA"] };

interface Instance {
  readonly clock: StepClock;
  /** Another instance on the same database. */
  another(sealingKey?: SealingKey): ReturnType<typeof createAccessTokens>;
  readonly tokens: ReturnType<typeof createAccessTokens>;
  readonly db: SqliteDatabase;
}

function start(t: TestContext): Instance {
  const db = openDatabase(temporaryFolder(t));
  t.after(() => db.close());
  const clock = new StepClock();
  const another = (sealingKey = first) =>
    createAccessTokens({
      repository: createAuthRepository(db),
      sealer: createSealer({ sealingKeys: [sealingKey] }),
      issuer: expected.issuer,
      audience: expected.audience,
      clock,
      log: silentLog,
    });
  return { clock, another, tokens: another(), db };
}

const session = { userId: "ann", sessionId: "s1" };

/** Checks a token as another service would, at a time. Returns what it says. */
async function verify(tokens: Instance["tokens"], token: string, now: number) {
  const keys = createLocalJWKSet((await tokens.publicKeys()) as JSONWebKeySet);
  return (await jwtVerify(token, keys, { ...expected, currentDate: new Date(now) })).payload;
}

function kidsOf({ keys }: Awaited<ReturnType<Instance["tokens"]["publicKeys"]>>): unknown[] {
  return keys.map(({ kid }) => kid);
}

describe("An access token", () => {
  test("says who, in which session, from whom and for whom, and for how long", async (t) => {
    const { clock, tokens } = start(t);
    clock.step(999);
    const token = await tokens.issue(session);
    const { jti, ...claims } = await verify(tokens, token, clock.now());
    const iat = Math.floor(clock.now() / 1_000);
    assert.deepEqual(claims, {
      iss: "usher.example",
      aud: "services",
      sub: "ann",
      sid: "s1",
      iat,
      exp: iat + 300,
    });
    const { kid, ...header } = decodeProtectedHeader(token);
    assert.deepEqual(header, { alg: "EdDSA", typ: "JWT" });
    assert.equal(kid, kidsOf(await tokens.publicKeys())[0]);
    clock.step(15_000);
    const again = await verify(tokens, await tokens.issue(session), clock.now());
    assert.notEqual(again.jti, jti);
    await assert.rejects(verify(tokens, token, iat * 1_000 + 5 * MINUTE));
  });

  test("is the same for calls within 15 seconds, and of its own session", async (t) => {
    const { clock, tokens, another } = start(t);
    const token = await tokens.issue(session);
    clock.step(14_999);
    assert.equal(await tokens.issue(session), token);
    assert.notEqual(await another().issue(session), token);
    const other = await tokens.issue({ userId: "bob", sessionId: "s2" });
    const { sub, sid } = await verify(tokens, other, clock.now());
    assert.deepEqual({ sub, sid }, { sub: "bob", sid: "s2" });
    clock.step(1);
    const next = await tokens.issue(session);
    assert.notEqual(next, token);
    const { iat } = await verify(tokens, next, clock.now());
    assert.equal(iat, Math.floor(clock.now() / 1_000));
    // A clock that was set back does not make a token last.
    clock.setWall(-MINUTE);
    assert.notEqual(await tokens.issue(session), next);
  });

  test("is remembered for the last 10,000 sessions and no more", async (t) => {
    const { tokens } = start(t);
    const token = await tokens.issue(session);
    const fill = async (from: number, to: number) => {
      for (let n = from; n < to; n++) await tokens.issue({ userId: "bob", sessionId: `b${n}` });
    };
    await fill(0, 9_999);
    assert.equal(await tokens.issue(session), token);
    await fill(9_999, 10_000);
    assert.notEqual(await tokens.issue(session), token);
  });

  test("is not given again once its session has ended", async (t) => {
    const room = await startRoom(t);
    const { user, session: opened } = await room.client.socialAuth(await beginAtFacebook(room));
    const token = opened?.token ?? "";
    await room.client.checkSession({ token });
    await room.client.revokeSessions({ userId: user?.id ?? "" });
    await refused(room.client.checkSession({ token }), "NOT_AUTHENTICATED");
    const again = await room.client.socialAuth(await beginAtFacebook(room));
    await room.client.deactivateUser({ userId: user?.id ?? "" });
    const closed = again.session?.token ?? "";
    await refused(room.client.checkSession({ token: closed }), "USER_NOT_ACTIVE");
  });

  test("is proven by public keys that say what they are for, and nothing secret", async (t) => {
    const { tokens, db } = start(t);
    const { keys } = await tokens.publicKeys();
    assert.equal(keys.length, 1);
    const { x, kid, ...rest } = keys[0] ?? {};
    assert.match(x ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.match(kid ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(rest, { kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" });
    const [row] = db.handle.prepare("SELECT * FROM signing_keys").all();
    assert.match(String(row?.["sealed_private_key"]), /^v1\.k1\./);
  });

  test("comes with every answer about a live session", async (t) => {
    const room = await startRoom(t, { settings: { issuer: "me", audience: "you" } });
    const { user, session, accessToken } = await room.client.socialAuth(
      await beginAtFacebook(room),
    );
    const checked = await room.client.checkSession({ token: session?.token ?? "" });
    const keys = createLocalJWKSet((await room.publicKeys()) as JSONWebKeySet);
    for (const token of [accessToken, checked.accessToken]) {
      const currentDate = new Date(room.clock.now());
      const options = { issuer: "me", audience: "you", currentDate };
      const { payload } = await jwtVerify(token, keys, options);
      assert.equal(payload.sub, user?.id);
      assert.equal(payload["sid"], session?.id);
    }
  });
});

describe("The keys of access tokens", () => {
  test("are kept with the data, and shared by all who sign", async (t) => {
    const { clock, tokens, another } = start(t);
    const others = [another(), another(), another()];
    const issued = await Promise.all([tokens, ...others].map((one) => one.issue(session)));
    for (const token of issued) await verify(another(), token, clock.now());
    assert.equal(kidsOf(await another().publicKeys()).length, 1);
  });

  test("change after 30 days; the next is listed ahead, the last until its tokens are over", async (t) => {
    const { clock, tokens, another } = start(t);
    const old = kidsOf(await tokens.publicKeys())[0];
    clock.step(30 * DAY - HOUR - 1);
    assert.deepEqual(kidsOf(await tokens.publicKeys()), [old]);
    clock.step(1);
    const [, next, ...more] = kidsOf(await another().publicKeys());
    assert.ok(next);
    assert.deepEqual(more, []);
    clock.step(HOUR - 1);
    const last = await tokens.issue(session);
    assert.equal(decodeProtectedHeader(last).kid, old);
    clock.step(MINUTE);
    const token = await tokens.issue(session);
    assert.equal(decodeProtectedHeader(token).kid, next);
    // A token's times are in whole seconds.
    clock.step(4 * MINUTE - 1_001);
    await verify(tokens, last, clock.now());
    clock.step(2 * MINUTE + 1_001);
    assert.deepEqual(kidsOf(await tokens.publicKeys()), [next]);
    clock.step(30 * DAY);
    await tokens.issue(session);
    clock.step(HOUR + 2 * MINUTE);
    assert.notEqual(decodeProtectedHeader(await tokens.issue(session)).kid, next);
  });

  test("change at the same time for all who sign, and only once", async (t) => {
    const { clock, tokens, another } = start(t);
    await tokens.issue(session);
    clock.step(30 * DAY - HOUR);
    const many = Array.from({ length: 5 }, () => another());
    await Promise.all(many.map((one) => one.publicKeys()));
    const lists = await Promise.all(many.map(async (one) => kidsOf(await one.publicKeys())));
    assert.equal(lists[0]?.length, 2);
    for (const kids of lists) assert.deepEqual(kids, lists[0]);
    clock.step(HOUR);
    const issued = await Promise.all(many.map((one) => one.issue(session)));
    assert.equal(new Set(issued.map((token) => decodeProtectedHeader(token).kid)).size, 1);
  });

  test("are not older than they should be after a long stop", async (t) => {
    const { clock, tokens, another } = start(t);
    const old = decodeProtectedHeader(await tokens.issue(session)).kid;
    clock.step(365 * DAY);
    const started = another();
    assert.equal(decodeProtectedHeader(await started.issue(session)).kid, old);
    assert.equal(kidsOf(await started.publicKeys()).length, 2);
    clock.step(HOUR + MINUTE);
    assert.notEqual(decodeProtectedHeader(await started.issue(session)).kid, old);
  });

  test("are made anew where the sealing key is gone, and the old ones stay listed for a while", async (t) => {
    const { clock, tokens, another } = start(t);
    const old = await tokens.issue(session);
    clock.step(1);
    const started = another({ id: "k2", secret: randomBytes(32) });
    const token = await started.issue(session);
    assert.notEqual(decodeProtectedHeader(token).kid, decodeProtectedHeader(old).kid);
    for (const one of [old, token]) await verify(started, one, clock.now());
  });

  test("of others are read within a minute, though the wall clock was set back", async (t) => {
    const { clock, tokens, another } = start(t);
    await tokens.issue(session);
    clock.step(1);
    const other = another({ id: "k2", secret: randomBytes(32) });
    const token = await other.issue(session);
    const signTime = clock.now();
    clock.setWall(-HOUR);
    clock.step(MINUTE - 1);
    await verify(tokens, token, signTime);
  });

  test("that could not be read are read again at the next call", async (t) => {
    const { tokens, db } = start(t);
    db.handle.exec("ALTER TABLE signing_keys RENAME TO hidden");
    await assert.rejects(async () => tokens.issue(session));
    db.handle.exec("ALTER TABLE hidden RENAME TO signing_keys");
    await tokens.issue(session);
  });
});
