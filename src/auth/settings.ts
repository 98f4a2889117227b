import type { Config } from "../config/config.ts";
import type { PasswordStrength } from "./passwords/strength.ts";

/** The settings of AuthService. */
export interface AuthSettings {
  /** How long a session lives after its start or its last renewal, in milliseconds. */
  readonly sessionLifeMs: number;
  /** How many sessions a user may have; a further one ends the oldest. */
  readonly maxSessionsPerUser: number;
  /** How many mails to one address may be asked for within 15 minutes. */
  readonly maxMailsPerAddress: number;
  /** How long before its end a session that is checked is renewed, in milliseconds. */
  readonly sessionRenewBeforeMs: number;
  /** After how long a provider is asked again about a user who signed in there, in milliseconds. */
  readonly socialCheckMs: number;
  /** The `iss` and `aud` of access tokens. */
  readonly issuer: string;
  readonly audience: string;
  /** How long a user may take to sign in at a provider, in milliseconds. */
  readonly stateLifeMs: number;
  /** The strength that new passwords must have. */
  readonly passwordStrength: PasswordStrength;
  /** The memory that hashing a password takes, in KiB. */
  readonly passwordMemoryKiB: number;
  /** Whether activation codes and reset tokens are told to callers where Usher mails them too. */
  readonly returnCodes: boolean;
  /** How long audit events are kept, in milliseconds. */
  readonly auditLifeMs: number;
  readonly facebook: FacebookSettings;
  readonly google: GoogleSettings;
  readonly vk: VkSettings;
  /** By the names that the operator has chosen. */
  readonly oidc: Readonly<Record<string, OidcSettings>>;
}

/** The settings of every provider that speaks OAuth 2. */
export interface OAuthSettings {
  /** The id of the application at the provider. Empty: the provider is off. */
  readonly clientId: string;
  /** Its secret. Empty: the provider is off. */
  readonly clientSecret: string;
  /**
   * Where the provider may send browsers back to, compared character for character. The first
   * is the one that front ends use which run the redirect themselves. None: the provider is off.
   */
  readonly redirectUris: readonly string[];
  /** What users are asked to allow. With `openid`, a nonce ties the answer to the question. */
  readonly scopes: readonly string[];
  /** Takes the emails that the provider tells for verified, though it does not say so. */
  readonly trustEmail: boolean;
  /** Takes codes that come without a state: from front ends that run the redirect themselves. */
  readonly allowUnsolicitedCodes: boolean;
  /** For one request to the provider, in milliseconds, from connecting to the last byte. */
  readonly requestTimeoutMs: number;
}

export interface FacebookSettings extends OAuthSettings {
  /** The page that browsers are sent to. */
  readonly authUrl: string;
  /** The base of the Graph API, its version included. */
  readonly graphUrl: string;
}

export interface GoogleSettings extends OAuthSettings {
  /** The page that browsers are sent to. */
  readonly authUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl: string;
  /** Asks for a refresh token, and so for the user's consent at every sign-in. */
  readonly offline: boolean;
}

export interface VkSettings extends OAuthSettings {
  /** VK ID, or the flow before it. */
  readonly flow: "vk_id" | "classic";
  /** The base of VK ID. */
  readonly idUrl: string;
  /** The base of the classic flow's pages. */
  readonly oauthUrl: string;
  /** The base of the classic flow's API methods. */
  readonly apiUrl: string;
}

export interface OidcSettings extends OAuthSettings {
  /** To the letter as the provider's own metadata has it. Empty: the provider is off. */
  readonly issuer: string;
  /** How the client proves itself at the token endpoint. */
  readonly clientAuth: "client_secret_basic" | "client_secret_post";
}

/** The settings of AuthService, from those of the whole server. */
export function readAuthSettings({ auth }: Config): AuthSettings {
  const { google, vk, facebook, oidc } = auth;
  return {
    sessionLifeMs: auth.sessionLife,
    maxSessionsPerUser: auth.maxSessionsPerUser,
    maxMailsPerAddress: auth.maxMailsPerAddress,
    sessionRenewBeforeMs: auth.sessionRenewBefore,
    socialCheckMs: auth.socialCheckTime,
    issuer: auth.issuer,
    audience: auth.audience,
    stateLifeMs: auth.stateLife,
    passwordStrength: auth.passwordStrength,
    passwordMemoryKiB: Math.floor(auth.passwordMemory / 1024),
    returnCodes: auth.returnCodes,
    auditLifeMs: auth.auditLife,
    facebook: readOAuthSettings(facebook),
    google: readOAuthSettings(google),
    vk: readOAuthSettings(vk),
    oidc: Object.fromEntries(
      Object.entries(oidc).map(([name, own]) => {
        const { issuer = "", ...rest } = own;
        return [name, { ...readOAuthSettings(rest), issuer }];
      }),
    ),
  };
}

/** What every provider's settings are called in the settings file, and what here. */
interface WrittenOAuthSettings {
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly scope: readonly string[];
  readonly requestTimeout: number;
}

function readOAuthSettings<Written extends WrittenOAuthSettings>({
  clientId = "",
  clientSecret = "",
  scope: scopes,
  requestTimeout: requestTimeoutMs,
  ...own
}: Written) {
  return { ...own, clientId, clientSecret, scopes, requestTimeoutMs };
}
