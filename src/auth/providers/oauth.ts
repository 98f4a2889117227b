import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { OAuthSettings } from "../settings.ts";
import { type JsonObject, type Parameters, type ProviderHttp, withQuery } from "./http.ts";
import type { Credentials, IdentifyRequest, Identity, Provider } from "./provider.ts";

/** How one OAuth 2 provider differs from the others. */
export interface OAuthTable<Settings extends OAuthSettings> {
  readonly name: string;
  /** What stands between two scopes. */
  readonly scopeSeparator: string;
  /** Whether the code's device id must come with the code. */
  readonly needsDeviceId?: boolean;
  authUrl(settings: Settings): string;
  /** The parameters of the login page beside those that all providers have. */
  authParameters?(settings: Settings): Parameters;
  /** Gives tokens for a code. Has the parameters of RFC 6749 and those given here, which win. */
  readonly token: Endpoint<Settings, IdentifyRequest>;
  /** Gives tokens for a refresh token; absent where access tokens last until consent ends. */
  readonly refresh?: Endpoint<Settings, Credentials>;
  /** Tells who an access token is about. */
  readonly profile: Endpoint<Settings, string>;
  /** Whether a refusal of a token request is about the code, beside `invalid_grant`. */
  refusesCode?(body: JsonObject): boolean;
  /** Whether a refusal says that the user's consent is over, beside `invalid_grant`. */
  endsConsent?(body: JsonObject): boolean;
  /** Numbers and code words that tell the log why a request was refused. */
  refusalDetails(body: JsonObject): object;
  /** Who it is; undefined if the answer does not say. `token` is the answer that had the token. */
  readIdentity(body: JsonObject, settings: Settings, token: JsonObject): Identity | undefined;
}

interface Endpoint<Settings, Given> {
  readonly method: "GET" | "POST";
  url(settings: Settings): string;
  parameters?(settings: Settings, given: Given): Parameters;
  /** Sends the access token in the Authorization header. */
  readonly bearer?: boolean;
}

/** What every provider needs to be made. */
export interface ProviderTools {
  readonly http: ProviderHttp;
  readonly log: Log;
  readonly clock: Clock;
}

/** The authorization code flow with PKCE (RFC 6749, RFC 7636), the same for every table. */
export function oauthProvider<Settings extends OAuthSettings>(
  table: OAuthTable<Settings>,
  settings: Settings,
  { http, log }: ProviderTools,
): Provider {
  const { clientId, clientSecret, redirectUris, scopes, requestTimeoutMs } = settings;
  const client: Parameters = { client_id: clientId, client_secret: clientSecret };

  function warn(status: number, body: JsonObject, message: string): void {
    log.warn({ provider: table.name, status, ...table.refusalDetails(body) }, message);
  }

  async function fetchToken<Given>(
    endpoint: Endpoint<Settings, Given>,
    given: Given,
    shared: Parameters,
    refusal: Refusal,
    signal: AbortSignal | undefined,
  ): Promise<TokenAnswer> {
    const { method } = endpoint;
    const parameters = { ...client, ...shared, ...endpoint.parameters?.(settings, given) };
    const request = { method, url: endpoint.url(settings), parameters };
    const answer = await http.fetchJson(request, {
      provider: table.name,
      timeoutMs: requestTimeoutMs,
      signal,
    });
    if (!answer.ok) return { outcome: "failed" };
    const { status, body } = answer;
    const token = body["access_token"];
    if (isSuccess(status) && isText(token)) return { outcome: "token", token, body };
    const refused =
      !isServerFault(status) && (body["error"] === "invalid_grant" || refusal.isOver?.(body));
    warn(status, body, refused ? refusal.message : "the provider gave no token");
    return { outcome: refused ? "refused" : "failed" };
  }

  async function fetchIdentity(
    accessToken: string,
    token: JsonObject,
    signal: AbortSignal | undefined,
  ): Promise<IdentityAnswer> {
    const { method, bearer, ...endpoint } = table.profile;
    const request = {
      method,
      url: endpoint.url(settings),
      parameters: endpoint.parameters?.(settings, accessToken) ?? {},
      bearer: bearer ? accessToken : undefined,
    };
    const answer = await http.fetchJson(request, {
      provider: table.name,
      timeoutMs: requestTimeoutMs,
      signal,
    });
    if (!answer.ok) return { outcome: "failed" };
    const { status, body } = answer;
    const identity = isSuccess(status) ? table.readIdentity(body, settings, token) : undefined;
    if (identity !== undefined) return { outcome: "identity", identity };
    const over = !isServerFault(status) && table.endsConsent?.(body);
    warn(status, body, over ? CONSENT_OVER : "the provider did not tell who signed in");
    return { outcome: over ? "consent_over" : "failed" };
  }

  function toCredentials(answer: FreshToken, before: Partial<Credentials>): Credentials {
    const refreshToken = answer.body["refresh_token"];
    return {
      accessToken: answer.token,
      // A provider that gives no new refresh token lets the old one go on.
      refreshToken: isText(refreshToken) ? refreshToken : (before.refreshToken ?? ""),
      deviceId: before.deviceId ?? "",
    };
  }

  return {
    name: table.name,
    configured: clientId !== "" && clientSecret !== "" && redirectUris.length > 0,
    redirectUris,
    allowUnsolicitedCodes: settings.allowUnsolicitedCodes,
    usesNonce: scopes.includes("openid"),
    needsDeviceId: table.needsDeviceId ?? false,

    async authUrl({ redirectUri, state, codeVerifier, nonce }) {
      return withQuery(table.authUrl(settings), {
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: "code",
        scope: scopes.join(table.scopeSeparator),
        state,
        code_challenge: createHash("sha256").update(codeVerifier).digest("base64url"),
        code_challenge_method: "S256",
        nonce,
        ...table.authParameters?.(settings),
      }).href;
    },

    async identify(request) {
      const { redirectUri, code, codeVerifier, nonce, deviceId, signal } = request;
      const shared = { redirect_uri: redirectUri, code, code_verifier: codeVerifier };
      const refusal = { isOver: table.refusesCode, message: "the provider refused the code" };
      const answer = await fetchToken(table.token, request, shared, refusal, signal);
      if (answer.outcome === "refused") return { outcome: "code_refused" };
      if (answer.outcome === "failed") return answer;
      if (nonce !== "" && nonceOf(answer.body["id_token"]) !== nonce) {
        const message = "the provider's ID token has not the nonce it was given";
        log.warn({ provider: table.name }, message);
        return { outcome: "failed" };
      }
      const found = await fetchIdentity(answer.token, answer.body, signal);
      if (found.outcome !== "identity") return { outcome: "failed" };
      const credentials = toCredentials(answer, { deviceId });
      return { outcome: "identified", identity: found.identity, credentials };
    },

    async askAgain(credentials, signal) {
      let current = credentials;
      let token: JsonObject = {};
      if (table.refresh !== undefined) {
        const { refreshToken } = credentials;
        if (refreshToken === "") return { outcome: "unasked" };
        const shared = { grant_type: "refresh_token", refresh_token: refreshToken };
        const refusal = { isOver: table.endsConsent, message: CONSENT_OVER };
        const answer = await fetchToken(table.refresh, credentials, shared, refusal, signal);
        if (answer.outcome === "refused") return { outcome: "withdrawn" };
        if (answer.outcome === "failed") return answer;
        token = answer.body;
        current = toCredentials(answer, credentials);
      }
      const found = await fetchIdentity(current.accessToken, token, signal);
      if (found.outcome === "consent_over") return { outcome: "withdrawn" };
      if (found.outcome === "failed") return { outcome: "failed", credentials: current };
      return { outcome: "confirmed", identity: found.identity, credentials: current };
    },
  };
}

/** The URL of a path under a base, which may end with a slash or not. */
export function under(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}/${path}`;
}

/** The log's words when a user has withdrawn consent, or it has run out. */
export const CONSENT_OVER = "the user's consent at the provider is over";

/** When a token request is refused for what was given, not for something else. */
interface Refusal {
  readonly isOver: ((body: JsonObject) => boolean) | undefined;
  /** The log's words for that. */
  readonly message: string;
}

interface FreshToken {
  readonly outcome: "token";
  readonly token: string;
  readonly body: JsonObject;
}

type TokenAnswer = FreshToken | { readonly outcome: "refused" } | { readonly outcome: "failed" };

type IdentityAnswer =
  | { readonly outcome: "identity"; readonly identity: Identity }
  | { readonly outcome: "consent_over" }
  | { readonly outcome: "failed" };

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/**
 * Whether an answer is about the provider's own trouble. The status does not tell: some refuse with
 * 200.
 */
function isServerFault(status: number): boolean {
  return status >= 500;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/**
 * The nonce of an ID token. Its signature need not be checked: it came straight from the
 * provider's token endpoint (OpenID Connect Core, 3.1.3.7).
 */
function nonceOf(idToken: unknown): unknown {
  if (!isText(idToken)) return undefined;
  try {
    const payload = Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString("utf8");
    const claims: unknown = JSON.parse(payload);
    return typeof claims === "object" && claims !== null && "nonce" in claims
      ? claims.nonce
      : undefined;
  } catch {
    return undefined;
  }
}
