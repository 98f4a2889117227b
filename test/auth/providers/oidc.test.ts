import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import type { JsonObject } from "../../../src/auth/providers/http.ts";
import { mergeClaims } from "../../../src/auth/providers/oidc.ts";
import { readOpenIdClaims } from "../../../src/auth/providers/read.ts";
import type { OpenId } from "../openid-stand-in.ts";
import { startOpenIdRoom } from "../provider-rooms.ts";
import { beginAt, REDIRECT_URI, refused } from "../room.ts";
import { answerJson, says } from "../stand-in.ts";

const request = { provider: "acme", redirectUri: REDIRECT_URI };

function pathsOf({ asked }: OpenId): string[] {
  return asked.map(({ url }) => url.pathname);
}

function linesOf(logged: readonly string[]): Record<string, unknown>[] {
  return logged.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("An OpenID provider", () => {
  test("is discovered at first use, and once", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    assert.deepEqual(standIn.asked, []);
    const begun = await beginAt({ client }, "acme");
    assert.deepEqual(pathsOf(standIn), ["/.well-known/openid-configuration"]);
    await client.socialAuth(begun);
    await client.socialAuth(await beginAt({ client }, "acme"));
    const paths = ["/token", "/keys", "/userinfo", "/token", "/userinfo"];
    assert.deepEqual(pathsOf(standIn).slice(1), paths);
  });

  test("that was down is discovered when it is up again, and anew after an hour", async (t) => {
    const { client, standIn, clock } = await startOpenIdRoom(t);
    standIn.behaviour.discovery = says(503, "{}");
    await refused(client.getSocialAuthUrl(request), "SOCIAL_AUTH_ERROR");
    standIn.behaviour.discovery = undefined;
    await client.getSocialAuthUrl(request);
    clock.step(60 * 60_000 - 1);
    await client.getSocialAuthUrl(request);
    assert.equal(standIn.asked.length, 2);
    clock.step(1);
    await client.getSocialAuthUrl(request);
    assert.equal(standIn.asked.length, 3);
    // Whatever the wall clock says.
    clock.setWall(-2 * 60 * 60_000);
    clock.step(60 * 60_000 - 1);
    await client.getSocialAuthUrl(request);
    assert.equal(standIn.asked.length, 3);
    clock.step(1);
    await client.getSocialAuthUrl(request);
    assert.equal(standIn.asked.length, 4);
  });

  test("gets state, nonce and a PKCE challenge", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    const { url, state } = await client.getSocialAuthUrl(request);
    const { code_challenge, nonce, ...parameters } = Object.fromEntries(new URL(url).searchParams);
    assert.match(code_challenge ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.match(nonce ?? "", /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(parameters, {
      client_id: standIn.settings.clientId,
      redirect_uri: REDIRECT_URI,
      response_type: "code",
      scope: "openid email profile",
      state,
      code_challenge_method: "S256",
    });
  });

  test("is asked for consent where refresh tokens are wanted, and always for openid", async (t) => {
    const { client } = await startOpenIdRoom(t, { scopes: ["offline_access"] });
    const { searchParams } = new URL((await client.getSocialAuthUrl(request)).url);
    assert.equal(searchParams.get("scope"), "openid offline_access");
    assert.equal(searchParams.get("prompt"), "consent");
  });

  for (const clientAuth of ["client_secret_basic", "client_secret_post"] as const) {
    test(`signs a user in with ${clientAuth}, whatever characters the secret has`, async (t) => {
      const { client, standIn } = await startOpenIdRoom(t, { clientAuth });
      const { user, session } = await client.socialAuth(await beginAt({ client }, "acme"));
      assert.equal(user?.email, "ann@example.com");
      assert.equal(user?.profile?.firstName, "Ann");
      assert.equal(session?.provider, "acme");
      const [account] = user?.socialAccounts ?? [];
      assert.equal(account?.provider, "acme");
      assert.equal(account?.socialId, "auth0|5f7c8ec7c33c6c004bbafe82");
      assert.equal(account?.emailVerified, true);
      const token = standIn.asked.find(({ url }) => url.pathname === "/token");
      assert.equal(token?.form.has("client_secret"), clientAuth === "client_secret_post");
    });
  }

  test("gets the redirect URI to the letter", async (t) => {
    const odd = "HTTPS://app.example?to=a%2Fb";
    const { client, standIn } = await startOpenIdRoom(t, { redirectUris: [odd] });
    const { url } = await client.getSocialAuthUrl({ provider: "acme", redirectUri: odd });
    assert.equal(new URL(url).searchParams.get("redirect_uri"), odd);
    const state = new URL(url).searchParams.get("state") ?? "";
    await refused(client.socialAuth({ provider: "acme", code: "c", state }), "WRONG_AUTH_CODE");
    assert.equal(standIn.asked.at(-1)?.form.get("redirect_uri"), odd);
  });

  test("that tells of itself by another issuer's name is not believed", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    standIn.behaviour.discovery = (response) => {
      const endpoints = { authorization_endpoint: `${standIn.url}/authorize` };
      answerJson(response, 200, { issuer: "https://other.example", ...endpoints });
    };
    await refused(client.getSocialAuthUrl(request), "SOCIAL_AUTH_ERROR");
  });

  test("without a userinfo endpoint tells everything in the ID token", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    standIn.behaviour.discovery = (response) =>
      answerJson(response, 200, {
        issuer: standIn.url,
        authorization_endpoint: `${standIn.url}/authorize`,
        token_endpoint: `${standIn.url}/token`,
        jwks_uri: `${standIn.url}/keys`,
        id_token_signing_alg_values_supported: ["ES256"],
      });
    const { user } = await client.socialAuth(await beginAt({ client }, "acme"));
    assert.equal(user?.email, "ann@example.com");
    assert.equal(pathsOf(standIn).includes("/userinfo"), false);
  });

  test("may begin to use a new key at any time", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    for (let round = 0; round < 3; round++) {
      await client.socialAuth(await beginAt({ client }, "acme"));
      await standIn.rotateKey();
    }
    const asked = pathsOf(standIn).filter((path) => path === "/keys");
    assert.equal(asked.length, 3);
  });

  test("may put another key under the same name: its keys are asked for at once", async (t) => {
    const { client, standIn, clock } = await startOpenIdRoom(t);
    await client.socialAuth(await beginAt({ client }, "acme"));
    await standIn.replaceKey();
    const before = standIn.asked.length;
    await client.socialAuth(await beginAt({ client }, "acme"));
    assert.deepEqual(pathsOf(standIn).slice(before), ["/token", "/keys", "/userinfo"]);
    // A provider whose signatures never fit is asked once a minute.
    await standIn.replaceKey({ listed: false });
    const since = standIn.asked.length;
    await refused(client.socialAuth(await beginAt({ client }, "acme")), "SOCIAL_AUTH_ERROR");
    clock.step(59_000);
    await refused(client.socialAuth(await beginAt({ client }, "acme")), "SOCIAL_AUTH_ERROR");
    assert.deepEqual(pathsOf(standIn).slice(since), ["/token", "/token"]);
    clock.step(1_000);
    await refused(client.socialAuth(await beginAt({ client }, "acme")), "SOCIAL_AUTH_ERROR");
    assert.deepEqual(pathsOf(standIn).slice(since), ["/token", "/token", "/token", "/keys"]);
  });

  test("is named in the log with both issuers, where its tokens are of another one", async (t) => {
    const { client, standIn, logged } = await startOpenIdRoom(t);
    standIn.forge = (claims, sign) => sign({ ...claims, iss: "https://other.example" });
    await refused(client.socialAuth(await beginAt({ client }, "acme")), "SOCIAL_AUTH_ERROR");
    const line = linesOf(logged).find((each) => each["expected"] !== undefined);
    assert.equal(line?.["provider"], "acme");
    assert.equal(line["expected"], standIn.url);
    assert.equal(line["told"], "https://other.example");
    assert.match(String(line["code"]), /^[A-Z_]+$/);
  });

  test("that cannot be reached is named in every line of the log, with a reason", async (t) => {
    const { client, standIn, logged } = await startOpenIdRoom(t);
    const begun = await beginAt({ client }, "acme");
    await standIn.close();
    await refused(client.socialAuth(begun), "SOCIAL_AUTH_ERROR");
    const lines = linesOf(logged);
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.equal(line["provider"], "acme");
      assert.ok(line["problem"] ?? line["code"]);
    }
  });

  test("may have its clock off by less than half a minute", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    standIn.forge = ({ iat = 0, ...claims }, sign) => {
      return sign({ ...claims, iat: iat + 20, nbf: iat + 20, exp: iat - 20 });
    };
    await client.socialAuth(await beginAt({ client }, "acme"));
  });

  test("vouches for the email that it tells, not for another one", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t);
    const { sub = "" } = standIn.claims;
    const other = { sub, email: "boss@example.com" };
    standIn.behaviour.userinfo = says(200, JSON.stringify(other));
    const { user } = await client.socialAuth(await beginAt({ client }, "acme"));
    assert.equal(user?.email, "");
    assert.equal(user?.socialAccounts[0]?.email, "boss@example.com");
    assert.equal(user?.socialAccounts[0]?.emailVerified, false);
  });

  test("without its issuer is IMPROPERLY_CONFIGURED, and without a name in the settings unknown", async (t) => {
    const { client } = await startOpenIdRoom(t, { issuer: "" });
    await refused(client.getSocialAuthUrl(request), "IMPROPERLY_CONFIGURED");
    await refused(client.getSocialAuthUrl({ ...request, provider: "oidc" }), "WRONG_PROVIDER");
  });

  test("may send codes that nobody asked for, with allow_unsolicited_codes", async (t) => {
    const { client, standIn } = await startOpenIdRoom(t, { allowUnsolicitedCodes: true });
    const page = new URL(`${standIn.url}/authorize`);
    page.searchParams.set("redirect_uri", REDIRECT_URI);
    const response = await fetch(page, { redirect: "manual" });
    const code = new URL(response.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const { user } = await client.socialAuth({ provider: "acme", code });
    assert.equal(user?.active, true);
  });
});

describe("An ID token is refused that", () => {
  type Forge = NonNullable<OpenId["forge"]>;
  const forged: Readonly<Record<string, Forge>> = {
    "has another nonce": (claims, sign) => sign({ ...claims, nonce: "another" }),
    "has no nonce": ({ nonce: _, ...claims }, sign) => sign(claims),
    "is of another issuer": (claims, sign) => sign({ ...claims, iss: "https://other.example" }),
    "is of the issuer with a slash more": (claims, sign) =>
      sign({ ...claims, iss: `${claims.iss}/` }),
    "is for another client": (claims, sign) => sign({ ...claims, aud: "another" }),
    "is for others too, and given to one of them": (claims, sign) =>
      sign({ ...claims, aud: ["usher", "another"], azp: "another" }),
    "is over": (claims, sign) => sign({ ...claims, exp: now() - 31 }),
    "is not good yet": (claims, sign) => sign({ ...claims, nbf: now() + 60 }),
    "never ends": ({ exp: _, ...claims }, sign) => sign(claims),
    "has no subject": ({ sub: _, ...claims }, sign) => sign(claims),
    "is not signed": async (claims) => new UnsecuredJWT(claims).encode(),
    "has no signature": async (claims, sign) =>
      (await sign(claims)).split(".").slice(0, 2).concat("").join("."),
    "has another token's signature": async (claims, sign) => {
      const parts = (await sign(claims)).split(".");
      const others = (await sign({ ...claims, sub: "another" })).split(".");
      return [parts[0], parts[1], others[2]].join(".");
    },
    "is signed by a key nobody knows": (claims) => signBy(claims, "ES256"),
    "is signed by an algorithm that the provider does not use": (claims) => signBy(claims, "EdDSA"),
    "is signed with the client's secret": (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256" })
        .sign(Buffer.from("the secret of the client: 100% sure & + safe")),
    "is no token at all": async () => "junk",
  };
  for (const [words, forge] of Object.entries(forged)) {
    test(words, async (t) => {
      const room = await startOpenIdRoom(t);
      const { client, standIn } = room;
      standIn.forge = forge;
      await refused(client.socialAuth(await beginAt({ client }, "acme")), "SOCIAL_AUTH_ERROR");
      assert.equal(pathsOf(standIn).includes("/userinfo"), false);
      standIn.forge = undefined;
      await client.socialAuth(await beginAt({ client }, "acme"));
    });
  }
});

function now(): number {
  return Math.floor(Date.now() / 1_000);
}

async function signBy(claims: JWTPayload, alg: "ES256" | "EdDSA"): Promise<string> {
  const { privateKey } = await generateKeyPair(alg);
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(privateKey);
}

describe("What an OpenID provider tells twice:", () => {
  const verified = { sub: "1", email: "ann@example.com", email_verified: true };
  const cases: Record<string, readonly [JsonObject, JsonObject, string | undefined, boolean]> = {
    "a flag of the user info does not vouch for an email of the ID token": [
      { ...verified, email_verified: false },
      { sub: "1", email_verified: true },
      "ann@example.com",
      false,
    ],
    "a flag of the ID token does not vouch for another email of the user info": [
      verified,
      { sub: "1", email: "eve@example.com" },
      "eve@example.com",
      false,
    ],
    "an email that both tell keeps the flag of the ID token, however it is written": [
      verified,
      { sub: "1", email: "ANN@example.com" },
      "ann@example.com",
      true,
    ],
    "a flag of the user info about its own email counts": [
      verified,
      { ...verified, email_verified: false },
      "ann@example.com",
      false,
    ],
    "nulls of the user info are as good as absent": [
      { ...verified, given_name: "Ann" },
      { sub: "1", email: null, email_verified: null, given_name: null },
      "ann@example.com",
      true,
    ],
    "nulls of the ID token too": [
      { sub: "1", email: null, email_verified: true },
      { sub: "1", email_verified: null },
      undefined,
      false,
    ],
  };
  for (const [words, [idToken, userInfo, email, emailVerified]] of Object.entries(cases)) {
    test(words, () => {
      const identity = readOpenIdClaims(mergeClaims(idToken, userInfo), false);
      assert.equal(identity?.email?.key, email);
      assert.equal(identity?.emailVerified, emailVerified);
    });
  }
});

test("an ID token with an unverified email and a flag of the user info sign in as nobody else", async (t) => {
  const { client, standIn } = await startOpenIdRoom(t);
  const users = [{ email: "ann@example.com", userId: "ann" }];
  await client.importUsers({ users });
  standIn.forge = (claims, sign) => sign({ ...claims, email_verified: false });
  const { sub } = standIn.claims;
  standIn.behaviour.userinfo = (response) =>
    answerJson(response, 200, { sub, email_verified: true });
  const { user, created } = await client.socialAuth(await beginAt({ client }, "acme"));
  assert.equal(created, true);
  assert.notEqual(user?.id, "ann");
});
