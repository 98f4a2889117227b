import { createHash } from "node:crypto";
import type { Log } from "../../log.ts";
import type { JsonObject, ProviderHttp } from "../provider-http.ts";
import type { OAuthSettings } from "../settings.ts";
import type { Identification, IdentifyRequest, Identity, Provider } from "./provider.ts";

/** In what one OAuth 2 provider differs from the others. */
export interface OAuthTable<Settings extends OAuthSettings> {
  readonly name: string;
  /** What stands between two scopes. */
  readonly scopeSeparator: string;
  tokenUrl(settings: Settings): string;
  /** Where the profile is, with what the provider wants to see beside the token. */
  profileUrl(settings: Settings): string;
  profileParameters(settings: Settings, accessToken: string): Readonly<Record<string, string>>;
  /** Whether a refusal of the token request is about the code, in the provider's own form. */
  refusesCode(body: JsonObject): boolean;
  /** Numbers that tell the log why a request was refused. */
  refusalNumbers(body: JsonObject): object;
  /** Who it is; undefined if the answer does not say. */
  readIdentity(body: JsonObject, settings: Settings): Identity | undefined;
}

/** What every provider needs to be made. */
export interface ProviderTools {
  readonly http: ProviderHttp;
  readonly log: Log;
}

/** The authorization code flow with PKCE (RFC 6749, RFC 7636), the same for every table. */
export function oauthProvider<Settings extends OAuthSettings>(
  table: OAuthTable<Settings>,
  settings: Settings,
  { http, log }: ProviderTools,
): Provider {
  const { clientId, clientSecret, redirectUris, scopes, requestTimeoutMs } = settings;

  async function fetchToken(request: IdentifyRequest): Promise<TokenAnswer> {
    const url = withParameters(table.tokenUrl(settings), {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uri: request.redirectUri,
      code: request.code,
      code_verifier: request.codeVerifier,
    });
    const answer = await http.getJson(url, { timeoutMs: requestTimeoutMs, signal: request.signal });
    if (!answer.ok) return { outcome: "failed" };
    const { status, body } = answer;
    const token = body["access_token"];
    if (isSuccess(status) && isText(token)) return { outcome: "token", token, body };
    const codeRefused =
      isRefusal(status) && (body["error"] === "invalid_grant" || table.refusesCode(body));
    log.warn(
      { provider: table.name, status, ...table.refusalNumbers(body) },
      codeRefused ? "the provider refused the code" : "the provider gave no token",
    );
    return { outcome: codeRefused ? "code_refused" : "failed" };
  }

  async function fetchIdentity(
    accessToken: string,
    signal: AbortSignal | undefined,
  ): Promise<Identity | undefined> {
    const url = withParameters(
      table.profileUrl(settings),
      table.profileParameters(settings, accessToken),
    );
    const answer = await http.getJson(url, { timeoutMs: requestTimeoutMs, signal });
    if (!answer.ok) return undefined;
    const { status, body } = answer;
    const identity = isSuccess(status) ? table.readIdentity(body, settings) : undefined;
    if (identity === undefined) {
      const details = { provider: table.name, status, ...table.refusalNumbers(body) };
      log.warn(details, "the provider did not tell who signed in");
    }
    return identity;
  }

  return {
    name: table.name,
    configured: clientId !== "" && clientSecret !== "" && redirectUris.length > 0,
    redirectUris,
    allowUnsolicitedCodes: settings.allowUnsolicitedCodes,
    usesNonce: scopes.includes("openid"),
    authUrl: ({ redirectUri, state, codeVerifier, nonce }) =>
      withParameters(settings.authUrl, {
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: "code",
        scope: scopes.join(table.scopeSeparator),
        state,
        code_challenge: createHash("sha256").update(codeVerifier).digest("base64url"),
        code_challenge_method: "S256",
        nonce,
      }).href,
    async identify(request): Promise<Identification> {
      const answer = await fetchToken(request);
      if (answer.outcome !== "token") return answer;
      if (request.nonce !== "" && nonceOf(answer.body["id_token"]) !== request.nonce) {
        log.warn(
          { provider: table.name },
          "the provider's ID token has not the nonce it was given",
        );
        return { outcome: "failed" };
      }
      const identity = await fetchIdentity(answer.token, request.signal);
      if (identity === undefined) return { outcome: "failed" };
      return { outcome: "identified", identity, credentials: { accessToken: answer.token } };
    },
  };
}

/** The URL of a path under a base, which may end with a slash or not. */
export function under(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}/${path}`;
}

type TokenAnswer =
  | { readonly outcome: "token"; readonly token: string; readonly body: JsonObject }
  | { readonly outcome: "code_refused" | "failed" };

/** Sets every parameter that is not empty. */
function withParameters(base: string, parameters: Readonly<Record<string, string>>): URL {
  const url = new URL(base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "") url.searchParams.set(name, value);
  }
  return url;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500;
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
