import type { DueAccount, NewSession, Session } from "./sessions.ts";
import type { Email, ProviderProfile, User, UserRequest } from "./users.ts";

/** Sign-in through a provider. */
export interface SocialSteps {
  /**
   * Keeps what a social sign-in needs when the browser comes back. `now` tells the store which
   * of the states before are over and may be dropped.
   */
  saveState(state: SavedState, now: number): Promise<void>;

  /**
   * Takes a saved state out of the store.
   * - gives back what was saved with the state, in a reopened store too
   * - a state is good once, whoever asks at the same time
   * - a state is over at its expire time
   * - a state of another provider is not given, and stays good for its own
   */
  consumeState(request: {
    readonly stateHash: Uint8Array;
    readonly provider: string;
    readonly now: number;
  }): Promise<SavedState | undefined>;

  /**
   * Finds or makes the user behind a social account, brings both up to date and opens a session.
   * - an unknown social account makes an active user
   * - a known social account signs its user in, whatever its email is now
   * - social ids are told apart to the digit, by letter case and by provider
   * - an unverified email stays on the social account and is never the user's own
   * - a verified email links the account to the active user who has it, in any letter case
   * - a verified email activates the pending user who has it, who then has no password
   * - a verified email does not join a user who has another account at the provider
   * - credentials without a refresh token keep the one of before
   * - a deactivated user stays so, by account and by email alike, and nothing changes
   * - a user without an email gets a verified one, unless another user has it
   * - what the provider tells replaces the profile, and what it leaves empty does not
   * - what the provider tells never makes a profile larger than it may be
   * - sign-ins of one new social account at once make one user
   * - sign-ins with one verified email at once make one user
   * - user, social account and session are stored together or not at all
   *
   * The activation code of a pending user who is activated is void.
   */
  signInSocially(signIn: SocialSignIn): Promise<SocialSignInOutcome>;

  /**
   * Gives a social account to the user of a live session. The email is no condition.
   * - a linked social account signs its user in
   * - a social account that the user has already is brought up to date
   * - a social account of another user is not linked, and nothing changes
   * - two users who link one social account at once: one gets it
   * - no social account is linked once the session is over
   *
   * A user without an email gets a verified one, as in a sign-in.
   */
  linkSocialAccount(link: SocialLink): Promise<SocialLinkOutcome>;

  /**
   * Takes every account at a provider from a user.
   * - an unlinked social account is nobody's, and the sessions opened through it are over
   * - the last way to sign in is not taken
   * - an account at a provider that is not configured is no way to sign in
   * - a user without an account at the provider stays as before
   */
  unlinkSocialAccount(request: SocialUnlinking): Promise<SocialUnlinkOutcome>;

  /**
   * Keeps what a provider told when it was asked again, if the account has not been signed in with
   * since. Returns its user, or undefined if nothing was kept.
   * - what a provider tells when asked again is kept, and what it leaves out stays
   * - an account is due again only long after it was confirmed
   * - credentials are kept without a confirmation too, and the account stays due
   * - what a provider told is dropped where the user signed in meanwhile
   */
  keepSocialCheck(check: SocialCheck): Promise<User | undefined>;

  /**
   * Ends every session opened through an account whose user withdrew consent, if the account has
   * not been signed in with since. Returns whether it did.
   * - consent that is withdrawn ends the sessions opened through the account, and no others
   * - consent that was given again meanwhile is not withdrawn
   */
  withdrawConsent(account: DueAccount & { readonly now: number }): Promise<boolean>;
}

export interface SavedState {
  readonly stateHash: Uint8Array;
  readonly provider: string;
  readonly redirectUri: string;
  /** The caller's own, given back at the end. */
  readonly clientState: string;
  /** Sealed. */
  readonly codeVerifier: string;
  /** Sealed. */
  readonly nonce: string;
  readonly expireTime: number;
}

/** A social account as its provider tells of it. */
export interface ToldAccount {
  readonly provider: string;
  readonly socialId: string;
  readonly email: Email | undefined;
  readonly emailVerified: boolean;
  /** The provider's tokens, sealed. */
  readonly sealedCredentials: string;
  /**
   * What to keep in place of `sealedCredentials` where the account has credentials already. A pure
   * function: a step may call it more than once. Undefined: `sealedCredentials` replace them.
   */
  readonly completedBy?: ((before: string) => string) | undefined;
}

export interface SocialSignIn {
  readonly account: ToldAccount;
  readonly profile: ProviderProfile;
  /** The id of the user, should one be made. */
  readonly newUserId: string;
  readonly session: NewSession;
  readonly now: number;
}

export type SocialSignInOutcome =
  | {
      readonly outcome: "signed_in";
      readonly user: User;
      readonly session: Session;
      /** Whether the user was made by this step. */
      readonly created: boolean;
    }
  | { readonly outcome: "user_not_active"; readonly userId: string };

export interface SocialLink {
  readonly account: ToldAccount;
  /** In which the user asked for it. */
  readonly sessionId: string;
  readonly now: number;
}

export type SocialLinkOutcome =
  | { readonly outcome: "linked"; readonly user: User }
  | { readonly outcome: "session_over" | "in_use" };

export interface SocialUnlinking extends UserRequest {
  readonly provider: string;
  /** The names of the providers that let users in. */
  readonly configured: ReadonlySet<string>;
}

export type SocialUnlinkOutcome =
  | { readonly outcome: "unlinked"; readonly user: User }
  | { readonly outcome: "unknown" | "last_method" };

export interface SocialCheck {
  /** As the account was when its provider was asked. */
  readonly account: DueAccount;
  readonly sealedCredentials: string;
  readonly confirmed: boolean;
  /** Undefined if the provider told nothing of the user. */
  readonly told:
    | (Pick<ToldAccount, "email" | "emailVerified"> & { readonly profile: ProviderProfile })
    | undefined;
  readonly now: number;
}
