import {
  allowInsecureRequests,
  buildAuthorizationUrl,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  discovery,
  type ExportedJWKSCache,
  enableNonRepudiationChecks,
  fetchUserInfo,
  genericGrantRequest,
  getJwksCache,
  ResponseBodyError,
  refreshTokenGrant,
  type ServerMetadata,
  setJwksCache,
  skipSubjectCheck,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from "openid-client";
import type { OidcSettings } from "../settings.ts";
import type { JsonObject } from "./http.ts";
import { CONSENT_OVER, type ProviderTools } from "./oauth.ts";
import type { Credentials, Identity, Provider } from "./provider.ts";
import { readErrorWord, readOpenIdClaims } from "./read.ts";

/** How far the provider's clock may be off, in seconds. */
const CLOCK_TOLERANCE_S = 30;

/** How long a provider's metadata is kept, in milliseconds. */
const DISCOVERY_LIFE_MS = 60 * 60_000;

/** openid-client fetches missing keys only if its copy is at least this old. */
const STALE_KEYS_S = 60;

type Tokens = TokenEndpointResponse & TokenEndpointResponseHelpers;

/** Any provider that speaks OpenID Connect, known by its issuer. */
export function oidc(name: string, settings: OidcSettings, tools: ProviderTools): Provider {
  const { clientId, clientSecret, issuer, redirectUris, trustEmail, requestTimeoutMs } = settings;
  const { http, log, clock } = tools;
  const scopes = [...new Set(["openid", ...settings.scopes])];
  const authenticate =
    settings.clientAuth === "client_secret_post" ? ClientSecretPost : ClientSecretBasic;
  const plainHttp = issuer.startsWith("http:");
  let discovered: { readonly server: ServerMetadata; readonly time: number } | undefined;
  let keys: ExportedJWKSCache | undefined;

  /** The provider for one call, with the limits of that call. Rejects if it cannot be asked. */
  async function configure(signal: AbortSignal | undefined): Promise<Configuration> {
    const fetchJson = http.fetchFor({ timeoutMs: requestTimeoutMs, signal });
    if (discovered === undefined || clock.now() - discovered.time >= DISCOVERY_LIFE_MS) {
      const found = await discovery(new URL(issuer), clientId, undefined, undefined, {
        [customFetch]: fetchJson,
        execute: plainHttp ? [allowInsecureRequests] : [],
      });
      discovered = { server: found.serverMetadata(), time: clock.now() };
    }
    const client = { [clockTolerance]: CLOCK_TOLERANCE_S };
    const auth = authenticate(clientSecret);
    const config = new Configuration(discovered.server, clientId, client, auth);
    config[customFetch] = fetchJson;
    if (plainHttp) allowInsecureRequests(config);
    enableNonRepudiationChecks(config);
    if (keys !== undefined) {
      // The copy is made to look old, so that a key that the provider has just begun to use is
      // fetched at once.
      const uat = Math.min(keys.uat, Math.floor(Date.now() / 1_000) - STALE_KEYS_S);
      setJwksCache(config, { ...keys, uat });
    }
    return config;
  }

  /**
   * The person that the tokens are about. Rejects if the provider does not say, or names someone
   * else.
   */
  async function readIdentity(
    config: Configuration,
    { access_token: accessToken }: Tokens,
    claims: JsonObject,
  ): Promise<Identity | undefined> {
    if (config.serverMetadata().userinfo_endpoint === undefined) {
      return readOpenIdClaims(claims, trustEmail);
    }
    const { sub } = claims;
    const subject = typeof sub === "string" ? sub : skipSubjectCheck;
    const told: JsonObject = await fetchUserInfo(config, accessToken, subject);
    return readOpenIdClaims(mergeClaims(claims, told), trustEmail);
  }

  function toCredentials(tokens: Tokens, before: string): Credentials {
    const { access_token: accessToken, refresh_token: refreshToken = before } = tokens;
    return { accessToken, refreshToken, deviceId: "" };
  }

  /** The log has names and numbers only: the messages quote what was sent and received. */
  function warn(error: unknown, message: string): void {
    const body = error instanceof ResponseBodyError ? { error: error.error } : {};
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    log.warn({ provider: name, code, error: readErrorWord(body) }, message);
  }

  return {
    name,
    configured: issuer !== "" && clientId !== "" && clientSecret !== "" && redirectUris.length > 0,
    redirectUris,
    allowUnsolicitedCodes: settings.allowUnsolicitedCodes,
    usesNonce: true,
    needsDeviceId: false,

    async authUrl({ redirectUri, state, codeVerifier, nonce, signal }) {
      try {
        const config = await configure(signal);
        return buildAuthorizationUrl(config, {
          redirect_uri: redirectUri,
          scope: scopes.join(" "),
          state,
          nonce,
          code_challenge: await calculatePKCECodeChallenge(codeVerifier),
          code_challenge_method: "S256",
          // Without it, refresh tokens are not given (OpenID Connect Core, 11).
          ...(scopes.includes("offline_access") && { prompt: "consent" }),
        }).href;
      } catch (error) {
        warn(error, "the provider does not tell how to sign in");
        return undefined;
      }
    },

    async identify({ code, redirectUri, codeVerifier, nonce, signal }) {
      try {
        const config = await configure(signal);
        const tokens = await genericGrantRequest(config, "authorization_code", {
          code,
          redirect_uri: redirectUri,
          ...(codeVerifier !== "" && { code_verifier: codeVerifier }),
        });
        keys = getJwksCache(config) ?? keys;
        const claims = tokens.claims();
        if (claims === undefined || (nonce !== "" && claims.nonce !== nonce)) {
          log.warn({ provider: name }, "the ID token is missing or has not the nonce it was given");
          return { outcome: "failed" };
        }
        const identity = await readIdentity(config, tokens, claims);
        if (identity === undefined) {
          log.warn({ provider: name }, "the provider did not tell who signed in");
          return { outcome: "failed" };
        }
        return { outcome: "identified", identity, credentials: toCredentials(tokens, "") };
      } catch (error) {
        const codeRefused = isInvalidGrant(error);
        warn(error, codeRefused ? "the provider refused the code" : "the sign-in failed");
        return { outcome: codeRefused ? "code_refused" : "failed" };
      }
    },

    async askAgain({ refreshToken }, signal) {
      if (refreshToken === "") return { outcome: "unasked" };
      let fresh: Credentials | undefined;
      try {
        const config = await configure(signal);
        const tokens = await refreshTokenGrant(config, refreshToken);
        fresh = toCredentials(tokens, refreshToken);
        keys = getJwksCache(config) ?? keys;
        const identity = await readIdentity(config, tokens, tokens.claims() ?? {});
        return { outcome: "confirmed", identity, credentials: fresh };
      } catch (error) {
        if (fresh !== undefined) {
          warn(error, "the provider did not tell who signed in");
          return { outcome: "failed", credentials: fresh };
        }
        const withdrawn = isInvalidGrant(error);
        warn(error, withdrawn ? CONSENT_OVER : "the provider gave no token");
        return { outcome: withdrawn ? "withdrawn" : "failed" };
      }
    },
  };
}

function isInvalidGrant(error: unknown): boolean {
  return error instanceof ResponseBodyError && error.error === "invalid_grant";
}

/**
 * What the ID token and the user info say together. Whether an email is verified is taken from
 * where the email is from: the two may differ.
 */
function mergeClaims(idToken: JsonObject, userInfo: JsonObject): JsonObject {
  const { email, email_verified } = userInfo;
  const merged = { ...idToken, ...userInfo };
  return email === undefined || email === idToken["email"] ? merged : { ...merged, email_verified };
}
