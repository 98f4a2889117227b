import { randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { AuthSettings } from "../../src/auth/settings.ts";
import { Grants } from "./grants.ts";
import { type Answer, answerJson, type StandIn, startStandIn } from "./stand-in.ts";

const CLIENT_ID = "usher";
const CLIENT_SECRET = "the secret of the client: 100% sure & + safe";

/** A small OpenID provider, for what a real one would never do. */
export interface OpenId extends StandIn<"discovery" | "keys" | "token" | "userinfo"> {
  readonly grants: Grants;
  readonly settings: Partial<AuthSettings["oidc"][string]>;
  readonly clientSecret: string;
  /** What is told of the user, in the ID token and beside it. */
  readonly claims: JWTPayload;
  /** Makes the ID token in place of the provider. */
  forge: ((claims: JWTPayload, sign: Sign) => Promise<string>) | undefined;
  /** From now on tokens are signed with a new key, and the old one is no longer listed. */
  rotateKey(): Promise<void>;
  /** The same under the name of the old key; with `listed: false` the old one stays listed. */
  replaceKey(options?: { readonly listed: boolean }): Promise<void>;
}

type Sign = (claims: JWTPayload) => Promise<string>;

export async function startOpenId(): Promise<OpenId> {
  const grants = new Grants();
  const claims: JWTPayload = {
    sub: "auth0|5f7c8ec7c33c6c004bbafe82",
    email: "ann@example.com",
    email_verified: true,
    given_name: "Ann",
    family_name: "Lee",
  };
  let key = await newKey();
  let listed = key.jwk;

  const giveToken: Answer = async (response, { form, authorization }) => {
    if (!isTheClient(form, authorization)) {
      return answerJson(response, 401, { error: "invalid_client" });
    }
    const refreshes = form.get("grant_type") === "refresh_token";
    const grant = refreshes ? grants.find(form.get("refresh_token") ?? "") : grants.redeem(form);
    if (grant === undefined) return answerJson(response, 400, { error: "invalid_grant" });
    const now = Math.floor(Date.now() / 1_000);
    const told = {
      ...claims,
      iss: standIn.url,
      aud: CLIENT_ID,
      iat: now,
      exp: now + 300,
      ...(grant["nonce"] !== undefined && { nonce: grant["nonce"] }),
    };
    const offline = grant["scope"]?.split(" ").includes("offline_access") === true;
    answerJson(response, 200, {
      access_token: grants.newToken(grant),
      token_type: "Bearer",
      expires_in: 3_600,
      id_token: await (standIn.forge ?? ((given, sign) => sign(given)))(told, key.sign),
      ...(offline && { refresh_token: grants.newToken(grant) }),
    });
  };

  const tellPerson: Answer = (response, { authorization }) => {
    if (grants.find(authorization.replace("Bearer ", "")) !== undefined) {
      return answerJson(response, 200, claims);
    }
    response.setHeader("www-authenticate", 'Bearer error="invalid_token"');
    answerJson(response, 401, { error: "invalid_token" });
  };

  const served = await startStandIn((url) => ({
    pages: [{ path: "/authorize", answer: grants.login() }],
    calls: {
      discovery: {
        path: "/.well-known/openid-configuration",
        answer: (response) =>
          answerJson(response, 200, {
            issuer: url,
            authorization_endpoint: `${url}/authorize`,
            token_endpoint: `${url}/token`,
            userinfo_endpoint: `${url}/userinfo`,
            jwks_uri: `${url}/keys`,
            response_types_supported: ["code"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256"],
            authorization_response_iss_parameter_supported: true,
          }),
      },
      keys: {
        path: "/keys",
        answer: (response) => answerJson(response, 200, { keys: [listed] }),
      },
      token: { path: "/token", answer: giveToken },
      userinfo: { path: "/userinfo", answer: tellPerson },
    },
  }));
  const settings = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, issuer: served.url };
  const standIn: OpenId = {
    ...served,
    grants,
    settings,
    clientSecret: CLIENT_SECRET,
    claims,
    forge: undefined,
    async rotateKey() {
      key = await newKey();
      listed = key.jwk;
    },
    async replaceKey(options = { listed: true }) {
      key = await newKey(key.kid);
      if (options.listed) listed = key.jwk;
    },
  };
  return standIn;
}

function isTheClient(form: URLSearchParams, authorization: string): boolean {
  if (form.get("client_secret") === CLIENT_SECRET) return form.get("client_id") === CLIENT_ID;
  const [name = "", secret = ""] = Buffer.from(authorization.replace("Basic ", ""), "base64")
    .toString()
    .split(":");
  const params = new URLSearchParams(`name=${name}&secret=${secret}`);
  return params.get("name") === CLIENT_ID && params.get("secret") === CLIENT_SECRET;
}

async function newKey(
  kid = randomUUID() as string,
): Promise<{ readonly kid: string; readonly jwk: JWK; readonly sign: Sign }> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, use: "sig", alg: "ES256" },
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(privateKey),
  };
}
