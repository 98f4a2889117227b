/** What AuthService is told by its operator. */
export interface AuthSettings {
  /** How long a session lives after its start or its last renewal, in milliseconds. */
  readonly sessionLifeMs: number;
  /** How long before its end a session that is checked is renewed, in milliseconds. */
  readonly sessionRenewBeforeMs: number;
  /** How long a user may take to sign in at a provider, in milliseconds. */
  readonly stateLifeMs: number;
  readonly facebook: FacebookSettings;
}

/** What every provider that speaks OAuth 2 is told. */
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
  /** The page that browsers are sent to. */
  readonly authUrl: string;
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
  /** The base of the Graph API, its version included. */
  readonly graphUrl: string;
}
