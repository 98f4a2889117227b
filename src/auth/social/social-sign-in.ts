import { randomUUIDv7 } from "node:crypto";
import { invalid, UsherError } from "../../base/errors.ts";
import type { RefusalEvents } from "../accounts/refusal-events.ts";
import { withRefusalEvent } from "../accounts/refusals.ts";
import type { Provider } from "../providers/provider.ts";
import type { SavedState, Session, ToldAccount, User } from "../repository.ts";
import { hashToken, randomSecret } from "../sessions/opaque-tokens.ts";
import { requireSession } from "../sessions/session-checks.ts";
import { newSession, type Origin } from "../sessions/sessions.ts";
import type { SocialCheckRoom } from "./consent-checks.ts";
import { completeCredentials, sealCredentials } from "./provider-credentials.ts";
import { openSignInSecrets, sealSignInSecrets } from "./sign-in-secrets.ts";
import { logLeftOut, type ToldProfile } from "./told-profiles.ts";

/** The parts that the rules of social sign-in work on. */
export interface SocialRoom extends SocialCheckRoom {
  readonly refusals: RefusalEvents;
}

/** What the browser brought back from a provider. */
export interface BroughtBack {
  readonly provider: string;
  readonly code: string;
  readonly state: string;
  /** Empty for none. */
  readonly deviceId: string;
  /** Fires when the caller gives up. */
  readonly signal?: AbortSignal | undefined;
}

export interface SocialAuthRequest extends BroughtBack {
  readonly origin: Origin;
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
  { repository, providers, settings, sealer, clock }: SocialRoom,
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
  const stateHash = hashToken(state);
  const saved = {
    stateHash,
    provider: provider.name,
    redirectUri,
    clientState,
    ...sealSignInSecrets(sealer, stateHash, { codeVerifier, nonce }),
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
  const provider = providerOf(room, request);
  const { origin } = request;
  const failure = { type: "sign_in_failed", provider: provider.name, ...origin } as const;
  const about: { userId?: string } = {};
  const describe = () => ({ ...failure, ...about });
  return withRefusalEvent(room, describe, async () => {
    const { account, told, clientState } = await identify(room, provider, request);
    const now = room.clock.now();
    const { token, record } = newSession(room, origin, now);
    const newUserId = randomUUIDv7();
    const signIn = { account, profile: told.profile, newUserId, session: record, now };
    const signedIn = await room.repository.signInSocially(signIn);
    if (signedIn.outcome === "user_not_active") {
      about.userId = signedIn.userId;
      throw new UsherError("USER_NOT_ACTIVE");
    }
    const { user, session, created } = signedIn;
    logLeftOut(room.log, provider.name, told, user.profile);
    return { user, session, token, created, clientState };
  });
}

/**
 * Adds a social account to the user of a session.
 * Throws NOT_AUTHENTICATED, WRONG_SESSION_SIGN, SOCIAL_ACCOUNT_IN_USE, and as `completeSocialAuth`.
 */
export async function linkSocialAccount(
  room: SocialRoom,
  request: BroughtBack & { readonly token: string },
): Promise<{ readonly user: User; readonly clientState: string }> {
  const { user, session } = await requireSession(room, request.token);
  const provider = providerOf(room, request);
  const failure = {
    type: "social_account_link_failed",
    provider: provider.name,
    userId: user.id,
    sessionId: session.id,
  } as const;
  return withRefusalEvent(
    room,
    () => failure,
    async () => {
      const { account, clientState } = await identify(room, provider, request);
      const link = { account, sessionId: session.id, now: room.clock.now() };
      const linked = await room.repository.linkSocialAccount(link);
      switch (linked.outcome) {
        case "linked":
          return { user: linked.user, clientState };
        case "in_use":
          throw new UsherError("SOCIAL_ACCOUNT_IN_USE");
        case "session_over":
          throw new UsherError("NOT_AUTHENTICATED");
      }
    },
  );
}

/**
 * Takes every account at a provider from a user.
 * Throws USER_NOT_FOUND and LAST_SIGN_IN_METHOD.
 */
export async function unlinkSocialAccount(
  { repository, providers, clock }: SocialRoom,
  request: { readonly userId: string; readonly provider: string },
): Promise<User> {
  const usable = [...providers.values()].filter((provider) => provider.configured);
  const configured = new Set(usable.map(({ name }) => name));
  const now = clock.now();
  const unlinked = await repository.unlinkSocialAccount({ ...request, configured, now });
  switch (unlinked.outcome) {
    case "unlinked":
      return unlinked.user;
    case "unknown":
      throw new UsherError("USER_NOT_FOUND");
    case "last_method":
      throw new UsherError("LAST_SIGN_IN_METHOD");
  }
}

/** The provider that a code is for. Throws before state or code is used up. */
function providerOf({ providers }: SocialRoom, request: BroughtBack): Provider {
  const provider = findProvider(providers, request.provider);
  if (provider.needsDeviceId && request.deviceId === "") {
    throw invalid("device_id", `is required by ${provider.name}`);
  }
  return provider;
}

function findProvider(providers: ReadonlyMap<string, Provider>, name: string): Provider {
  const provider = providers.get(name);
  if (provider === undefined) throw new UsherError("WRONG_PROVIDER");
  if (!provider.configured) throw new UsherError("IMPROPERLY_CONFIGURED");
  return provider;
}

/** The beginning of a sign-in, as the rest of it needs it. */
type Beginning = Pick<SavedState, "redirectUri" | "clientState" | "codeVerifier" | "nonce">;

async function takeState(
  { repository, sealer, clock }: SocialRoom,
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
  const secrets = saved && openSignInSecrets(sealer, stateHash, saved);
  if (saved === undefined || secrets === undefined) throw new UsherError("WRONG_STATE");
  return { ...saved, ...secrets };
}

/** Uses the state up, then the code. */
async function identify(
  room: SocialRoom,
  provider: Provider,
  { code, state, deviceId, signal }: BroughtBack,
): Promise<{
  readonly account: ToldAccount;
  readonly told: ToldProfile;
  readonly clientState: string;
}> {
  const { clientState, ...begun } = await takeState(room, provider, state);
  const { redirectUri, codeVerifier, nonce } = begun;
  const asked = { code, redirectUri, state, codeVerifier, nonce, deviceId, signal };
  const found = await provider.identify(asked);
  switch (found.outcome) {
    case "identified": {
      const { profile, tooLong, ...identity } = found.identity;
      const owner = { provider: provider.name, socialId: identity.socialId };
      const { credentials } = found;
      const sealedCredentials = sealCredentials(room.sealer, owner, credentials);
      const completedBy =
        credentials.refreshToken === ""
          ? (before: string) => completeCredentials(room.sealer, owner, credentials, before)
          : undefined;
      const account = { ...owner, ...identity, sealedCredentials, completedBy };
      return { account, told: { profile, tooLong }, clientState };
    }
    case "code_refused":
      throw new UsherError("WRONG_AUTH_CODE");
    case "failed":
      throw new UsherError("SOCIAL_AUTH_ERROR");
  }
}
