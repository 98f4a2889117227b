import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { temporaryFolder } from "../support/process.ts";
import { clientOf, startService, ways } from "../support/service.ts";
import { storageSettings } from "../support/storage.ts";

const PASSWORD = "Correct horse 1";

/** A user who is signed in, by email. */
async function signIn(client: Client<typeof AuthService>, email: string) {
  const { activationCode: code } = await client.register({ email });
  await client.completeRegistration({ email, code, password: PASSWORD });
  const { user, session, accessToken } = await client.signIn({ email, password: PASSWORD });
  assert.ok(user && session);
  return { user, session, accessToken };
}

describe("/.well-known/jwks.json", () => {
  test("lets a service check access tokens by itself", async (t) => {
    const usher = await startService(t, {
      USHER_AUTH_ISSUER: "https://usher.example",
      USHER_AUTH_AUDIENCE: "orders",
    });
    const client = clientOf(usher, AuthService);
    const { user, session, accessToken } = await signIn(client, "ann@example.com");
    const page = new URL(`http://${usher.httpAddress}/.well-known/jwks.json`);
    const keys = createRemoteJWKSet(page);
    const expected = { issuer: "https://usher.example", audience: "orders" };
    const { payload } = await jwtVerify(accessToken, keys, expected);
    assert.equal(payload.sub, user.id);
    assert.equal(payload["sid"], session.id);
    await assert.rejects(jwtVerify(accessToken, keys, { ...expected, audience: "another" }));
    const other = await startService(t, { USHER_AUTH_ISSUER: "https://usher.example" });
    const forged = await signIn(clientOf(other, AuthService), "ann@example.com");
    await assert.rejects(jwtVerify(forged.accessToken, keys));
  });

  test("is JSON that may be kept for a while, and is only read", async (t) => {
    const usher = await startService(t);
    const page = `http://${usher.httpAddress}/.well-known/jwks.json`;
    const answer = await fetch(page);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
    const { keys } = (await answer.json()) as { keys: Record<string, string>[] };
    assert.deepEqual(
      keys.map(({ kty, crv, alg }) => ({ kty, crv, alg })),
      [{ kty: "OKP", crv: "Ed25519", alg: "EdDSA" }],
    );
    assert.equal(keys[0]?.["d"], undefined, "the private key");
    const post = await fetch(page, { method: "POST", body: "{}" });
    assert.equal(post.status, 405);
  });
});

describe("WatchRevocations", () => {
  for (const way of ways) {
    test(`tells within a second, over ${way}`, async (t) => {
      const usher = await startService(t);
      const client = clientOf(usher, AuthService, way);
      const { user, session } = await signIn(client, "ann@example.com");
      const stream = client.watchRevocations({})[Symbol.asyncIterator]();
      assert.ok((await stream.next()).value?.cursor);
      const revoked = stream.next();
      await client.revokeSessions({ userId: user.id });
      const start = performance.now();
      const { value } = await revoked;
      assert.ok(performance.now() - start < 1_000);
      assert.equal(value?.revocation.case, "sessionRevoked");
      assert.equal(value.revocation.value.sessionId, session.id);
      assert.equal(value.revocation.value.userId, user.id);
      await stream.return?.();
    });
  }

  test("goes on from a cursor after a restart, and leaves nothing out", async (t) => {
    const env = await storageSettings(t, temporaryFolder(t));
    const before = await startService(t, env);
    const client = clientOf(before, AuthService);
    const { user, session } = await signIn(client, "ann@example.com");
    const first = client.watchRevocations({})[Symbol.asyncIterator]();
    const { cursor } = (await first.next()).value ?? assert.fail("no cursor");
    await client.signOut({ token: session.token });
    await before.stop();
    const after = await startService(t, env);
    const restarted = clientOf(after, AuthService);
    await restarted.deleteUser({ userId: user.id });
    const stream = restarted.watchRevocations({ cursor })[Symbol.asyncIterator]();
    const told = [await stream.next(), await stream.next(), await stream.next()];
    const cases = told.map(({ value }) => value?.revocation.case);
    assert.deepEqual(cases, [undefined, "sessionRevoked", "userRevoked"]);
    await stream.return?.();
  });

  test("ends with SHUTTING_DOWN when the server stops, which does not wait for it", async (t) => {
    const usher = await startService(t, { USHER_SHUTDOWN_GRACE: "1h" });
    const stream = await watching(t, clientOf(usher, AuthService));
    const stopped = usher.stop();
    const error = await stream.next().then(
      () => assert.fail("the stream goes on"),
      (thrown: unknown) => ConnectError.from(thrown),
    );
    assert.equal(error.code, Code.Unavailable);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "SHUTTING_DOWN");
    await stopped;
  });
});

async function watching(t: TestContext, client: Client<typeof AuthService>) {
  const gone = new AbortController();
  t.after(() => gone.abort());
  const stream = client.watchRevocations({}, { signal: gone.signal })[Symbol.asyncIterator]();
  await stream.next();
  return stream;
}
