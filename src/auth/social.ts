import { randomUUIDv7 } from "node:crypto";
import { invalid, UsherError } from "../errors.ts";
import type { Credentials, Identity, Provider } from "./providers/provider.ts";
import type { SavedState, Session, User } from "./repository.ts";
import type { Sealer } from "./sealing.ts";
import { newSession, type Origin, type SessionRoom } from "./sessions.ts";
import { hashToken, randomSecret } from "./tokens.ts";

/** What the rules of social sign-in work on. */
export interface SocialRoom extends SessionRoom {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sealer: Sealer;
}

export interface SocialAuthRequest {
  readonly provider: string;
  readonly code: string;
  readonly state: string;
  /** Empty for none. */
  readonly deviceId: string;
  readonly origin: Origin;
  /** Fires when the caller gives up. */
  readonly signal?: AbortSignal | undefined;
}

export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly token: string;
  readonly created: boolean;
  readonly clientState: string;
}

/**
 * Begins a social sign-in: the page to send the browser to, and the state that comes back.
 * Throws WRONG_PROVIDER, IMPROPERLY_CONFIGURED, SOCIAL_AUTH_ERROR if the provider would not tell
 * its page, and INVALID_PARAMS for a redirect URI that is not one of the configured.
 */
export async function beginSocialAuth(
  { repository, providers, settings, clock }: SocialRoom,
  request: {
    readonly provider: string;
    readonly redirectUri: string;
    readonly clientState: string;
    /** Fires when the caller gives up. */
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ readonly url: string; readonly state: string }> {
  const provider = findProvider(providers, request.provider);
  const { redirectUri, clientState, signal } = request;
  if (!provider.redirectUris.includes(redirectUri)) {
    throw invalid(
      "redirect_uri",
      `must be one of the redirect URIs configured for ${provider.name}`,
    );
  }
  const state = randomSecret();
  const codeVerifier = randomSecret();
  const nonce = provider.usesNonce ? randomSecret() : "";
  const url = await provider.authUrl({ redirectUri, state, codeVerifier, nonce, signal });
  if (url === undefined) throw new UsherError("SOCIAL_AUTH_ERROR");
  const now = clock.now();
  const saved = {
    stateHash: hashToken(state),
    provider: provider.name,
    redirectUri,
    clientState,
    codeVerifier,
    nonce,
    expireTime: now + settings.stateLifeMs,
  };
  await repository.saveState(saved, now);
  return { url, state };
}

/**
 * Ends a social sign-in with the code that the browser brought back.
 * Throws WRONG_PROVIDER, IMPROPERLY_CONFIGURED, WRONG_STATE (the code is not exchanged then),
 * WRONG_AUTH_CODE, SOCIAL_AUTH_ERROR and USER_NOT_ACTIVE.
 */
export async function completeSocialAuth(
  room: SocialRoom,
  request: SocialAuthRequest,
): Promise<SignedIn> {
  const provider = findProvider(room.providers, request.provider);
  if (provider.needsDeviceId && request.deviceId === "") {
    throw invalid("device_id", `is required by ${provider.name}`);
  }
  const saved = await takeState(room, provider, request.state);
  const { identity, credentials } = await identify(provider, saved, request);
  const now = room.clock.now();
  const { token, record } = newSession(room, request.origin, now);
  const signedIn = await room.repository.signInSocially({
    account: {
      provider: provider.name,
      socialId: identity.socialId,
      email: identity.email,
      emailVerified: identity.emailVerified,
      sealedCredentials: sealCredentials(room.sealer, provider, identity, credentials),
    },
    profile: identity.profile,
    newUserId: randomUUIDv7(),
    session: record,
    now,
  });
  if (signedIn.outcome === "user_not_active") throw new UsherError("USER_NOT_ACTIVE");
  const { user, session, created } = signedIn;
  return { user, session, token, created, clientState: saved.clientState };
}

function findProvider(providers: ReadonlyMap<string, Provider>, name: string): Provider {
  const provider = providers.get(name);
  if (provider === undefined) throw new UsherError("WRONG_PROVIDER");
  if (!provider.configured) throw new UsherError("IMPROPERLY_CONFIGURED");
  return provider;
}

/** What the rest of a sign-in needs to know of its beginning. */
type Beginning = Pick<SavedState, "redirectUri" | "clientState" | "codeVerifier" | "nonce">;

async function takeState(
  { repository, clock }: SocialRoom,
  provider: Provider,
  state: string,
): Promise<Beginning> {
  const [firstRedirectUri] = provider.redirectUris;
  if (state === "" && provider.allowUnsolicitedCodes && firstRedirectUri !== undefined) {
    return { redirectUri: firstRedirectUri, clientState: "", codeVerifier: "", nonce: "" };
  }
  const stateHash = hashToken(state);
  const now = clock.now();
  const saved = await repository.consumeState({ stateHash, provider: provider.name, now });
  if (saved === undefined) throw new UsherError("WRONG_STATE");
  return saved;
}

async function identify(
  provider: Provider,
  { redirectUri, codeVerifier, nonce }: Beginning,
  { code, state, deviceId, signal }: SocialAuthRequest,
): Promise<{ readonly identity: Identity; readonly credentials: Credentials }> {
  const found = await provider.identify({
    code,
    redirectUri,
    state,
    codeVerifier,
    nonce,
    deviceId,
    signal,
  });
  switch (found.outcome) {
    case "identified":
      return found;
    case "code_refused":
      throw new UsherError("WRONG_AUTH_CODE");
    case "failed":
      throw new UsherError("SOCIAL_AUTH_ERROR");
  }
}

/** Tied to the account, so that a copy in another account's record does not open. */
function sealCredentials(
  sealer: Sealer,
  provider: Provider,
  identity: Identity,
  credentials: Credentials,
): string {
  const context = ["social account", provider.name, identity.socialId];
  return sealer.seal(JSON.stringify(credentials), context);
}
