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
  /** The page to send the browser to. */
  authUrl(request: AuthUrlRequest): string;
  /** Exchanges the code and reads the profile. Never throws; the log has what went wrong. */
  identify(request: IdentifyRequest): Promise<Identification>;
}

interface AuthUrlRequest {
  readonly redirectUri: string;
  readonly state: string;
  readonly codeVerifier: string;
  /** Empty for none. */
  readonly nonce: string;
}

export interface IdentifyRequest {
  readonly code: string;
  readonly redirectUri: string;
  /** Empty for a code that nobody asked for with a challenge. */
  readonly codeVerifier: string;
  /** Empty for none. */
  readonly nonce: string;
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

/** Who signed in, as the provider tells it. */
export interface Identity {
  readonly socialId: string;
  /** Undefined if the provider told none. */
  readonly email: Email | undefined;
  readonly emailVerified: boolean;
  readonly profile: ProviderProfile;
}

/** What the provider gave to act for the user. Secret. */
export interface Credentials {
  readonly accessToken: string;
}
