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
import type { JsonObject, LibraryFetch } from "./http.ts";
import { CONSENT_OVER, type ProviderTools } from "./oauth.ts";
import type { Credentials, Identity, Provider } from "./provider.ts";
import { readEmail, readErrorWord, readOpenIdClaims } from "./read.ts";

/** How far the provider's clock may be off, in seconds. */
const CLOCK_TOLERANCE_S = 30;

/** How long a provider's metadata is kept, in milliseconds. */
const DISCOVERY_LIFE_MS = 60 * 60_000;

/** How often keys are fetched anew at most because a signature did not fit, in milliseconds. */
const DISTRUST_EVERY_MS = 60_000;

/** openid-client fetches missing keys only if its copy is at least this old. */
const STALE_KEYS_S = 60;

/** What a provider tells is cut to this length in the log. */
const LONGEST_IN_LOG = 200;

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
  let keysDistrustedAt = -Infinity;

  /** What fetches for one call, with the limits of that call. */
  function fetchWithin(signal: AbortSignal | undefined): LibraryFetch {
    return http.fetchFor({ provider: name, timeoutMs: requestTimeoutMs, signal });
  }

  /** The provider for one call. Rejects if it cannot be asked. */
  async function configure(fetchJson: LibraryFetch): Promise<Configuration> {
    if (discovered === undefined || clock.monotonic() - discovered.time >= DISCOVERY_LIFE_MS) {
      const found = await discovery(new URL(issuer), clientId, undefined, undefined, {
        [customFetch]: fetchJson,
        execute: plainHttp ? [allowInsecureRequests] : [],
      });
      discovered = { server: found.serverMetadata(), time: clock.monotonic() };
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
   * Asks for tokens. Where the signature of the ID token does not fit, the provider may have put
   * another key under the same name: its keys are fetched anew, once a minute at most, and the same
   * answer is checked again. The code that was exchanged for it is used up.
   */
  async function tokensOf(
    signal: AbortSignal | undefined,
    ask: (config: Configuration) => Promise<Tokens>,
  ): Promise<{ readonly config: Configuration; readonly tokens: Tokens }> {
    const recorded = new RecordedAnswer(fetchWithin(signal));
    const config = await configure(recorded.fetch);
    try {
      return { config, tokens: await ask(config) };
    } catch (error) {
      const tooSoon = clock.monotonic() - keysDistrustedAt < DISTRUST_EVERY_MS;
      if (!isBadSignature(error) || tooSoon || !recorded.hasAnswer) throw error;
      keysDistrustedAt = clock.monotonic();
      keys = undefined;
      const fresh = await configure(recorded.fetchAgain);
      return { config: fresh, tokens: await ask(fresh) };
    }
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
    const fields = { code: reasonOf(error), error: readErrorWord(body), ...issuersOf(error) };
    log.warn({ provider: name, ...fields }, message);
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
        const config = await configure(fetchWithin(signal));
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
        const { config, tokens } = await tokensOf(signal, (asked) =>
          genericGrantRequest(asked, "authorization_code", {
            code,
            redirect_uri: redirectUri,
            ...(codeVerifier !== "" && { code_verifier: codeVerifier }),
          }),
        );
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
        const { config, tokens } = await tokensOf(signal, (asked) =>
          refreshTokenGrant(asked, refreshToken),
        );
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

/**
 * The first answer of a provider to a POST, to be given again: a code or a refresh token that was
 * exchanged is used up.
 */
class RecordedAnswer {
  readonly #fetch: LibraryFetch;
  #answer: Response | undefined;

  constructor(fetch: LibraryFetch) {
    this.#fetch = fetch;
  }

  get hasAnswer(): boolean {
    return this.#answer !== undefined;
  }

  readonly fetch: LibraryFetch = async (url, options) => {
    const answer = await this.#fetch(url, options);
    if (options.method === "POST") this.#answer ??= answer.clone();
    return answer;
  };

  readonly fetchAgain: LibraryFetch = async (url, options) => {
    const recorded = options.method === "POST" ? this.#answer : undefined;
    return recorded?.clone() ?? this.#fetch(url, options);
  };
}

/** openid-client tells a bad signature by the message of the cause alone. */
function isBadSignature(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message === "JWT signature verification failed";
}

/** The code of an error, or of its cause; else its name. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  for (const each of [error, error.cause]) {
    if (each instanceof Error && "code" in each && typeof each.code === "string") return each.code;
  }
  return error.name;
}

/** Both issuers, where one was told and another one expected. They are no secrets. */
function issuersOf(error: unknown): { readonly expected?: unknown; readonly told?: unknown } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.cause : {};
  const { attribute, claim, expected, body, claims } = (cause ?? {}) as Readonly<
    Record<string, unknown>
  >;
  const told = (body ?? claims) as JsonObject | undefined;
  if (attribute === "issuer") return { expected, told: shortened(told?.["issuer"]) };
  if (claim === "iss") return { expected, told: shortened(told?.["iss"]) };
  return {};
}

function shortened(value: unknown): unknown {
  return typeof value === "string" ? value.slice(0, LONGEST_IN_LOG) : typeof value;
}

function isInvalidGrant(error: unknown): boolean {
  return error instanceof ResponseBodyError && error.error === "invalid_grant";
}

/**
 * What the ID token and the user info say together; the user info counts more. Nulls count as
 * absent. An email counts with the flag of its own document alone: otherwise a flag of one could
 * vouch for an email of the other. Where the user info repeats the email without a flag, that of
 * the ID token is about the same email.
 */
export function mergeClaims(idToken: JsonObject, userInfo: JsonObject): JsonObject {
  const told = withoutNulls(userInfo);
  const proven = withoutNulls(idToken);
  const toldEmail = readEmail(told, "email");
  const repeats =
    toldEmail !== undefined &&
    !("email_verified" in told) &&
    toldEmail.key === readEmail(proven, "email")?.key;
  const { email, email_verified } = "email" in told && !repeats ? told : proven;
  return { ...proven, ...told, email, email_verified };
}

function withoutNulls(claims: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
}
