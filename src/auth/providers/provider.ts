import type { Email, ProviderProfile } from "../repository.ts";

/** A place where users can sign in. */
export interface Provider {
  readonly name: string;
  /** False while a setting is missing without which the provider cannot be asked. */
  readonly configured: boolean;
  readonly redirectUris: readonly string[];
  /** Whether codes may come that no GetSocialAuthUrl began. */
  readonly allowUnsolicitedCodes: boolean;
  /** Whether the provider puts a nonce into its answer. */
  readonly usesNonce: boolean;
  /** Whether a code is no good without the device id that came with it. */
  readonly needsDeviceId: boolean;
  /** The page to send the browser to; undefined if the provider would not tell. Never throws. */
  authUrl(request: AuthUrlRequest): Promise<string | undefined>;
  /** Exchanges the code and reads the profile. Never throws; the log has what went wrong. */
  identify(request: IdentifyRequest): Promise<Identification>;
  /**
   * Asks again about someone who signed in before, with the credentials of then. Never throws. The
   * new credentials may have made the old ones void: store them whatever happens.
   */
  askAgain(credentials: Credentials, signal: AbortSignal): Promise<Reaffirmation>;
}

export interface AuthUrlRequest {
  readonly redirectUri: string;
  readonly state: string;
  readonly codeVerifier: string;
  /** Empty for none. */
  readonly nonce: string;
  /** The caller's own signal, when it gives up. */
  readonly signal?: AbortSignal | undefined;
}

export interface IdentifyRequest {
  readonly code: string;
  readonly redirectUri: string;
  /** Empty for a code that nobody asked for. */
  readonly state: string;
  /** Empty for a code that nobody asked for with a challenge. */
  readonly codeVerifier: string;
  /** Empty for none. */
  readonly nonce: string;
  /** Empty for none. */
  readonly deviceId: string;
  /** The caller's own signal, when it gives up. */
  readonly signal?: AbortSignal | undefined;
}

export type Identification =
  | {
      readonly outcome: "identified";
      readonly identity: Identity;
      readonly credentials: Credentials;
    }
  /** The code is wrong, used or over. */
  | { readonly outcome: "code_refused" }
  /** The provider did anything else than it should. */
  | { readonly outcome: "failed" };

export type Reaffirmation =
  | {
      readonly outcome: "confirmed";
      /** Undefined if the provider told nothing more. */
      readonly identity: Identity | undefined;
      readonly credentials: Credentials;
    }
  /** The provider no longer takes what the user once consented to. */
  | { readonly outcome: "withdrawn" }
  /** There are no credentials to ask with. */
  | { readonly outcome: "unasked" }
  /** The provider did anything else than it should. `credentials` are those to keep, if changed. */
  | { readonly outcome: "failed"; readonly credentials?: Credentials };

/** Who signed in, as the provider tells it. */
export interface Identity {
  readonly socialId: string;
  /** Undefined if the provider told none. */
  readonly email: Email | undefined;
  readonly emailVerified: boolean;
  readonly profile: ProviderProfile;
  /** The fields that the provider told and that are empty here, since they were too long. */
  readonly tooLong: readonly (keyof ProviderProfile)[];
}

/** The credentials that the provider gave to act for the user. Secret. */
export interface Credentials {
  readonly accessToken: string;
  /** The refresh token; empty if the provider gave none. */
  readonly refreshToken: string;
  /** To which device they belong, where the provider wants to know; else empty. */
  readonly deviceId: string;
}
