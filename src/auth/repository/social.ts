import type { NewSession, Session } from "./sessions.ts";
import type { Email, ProviderProfile, User } from "./users.ts";

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
   * - a deactivated user stays so, by account and by email alike, and nothing changes
   * - a user without an email gets a verified one, unless another user has it
   * - what the provider tells replaces the profile, and what it leaves empty does not
   * - sign-ins of one new social account at once make one user
   * - sign-ins with one verified email at once make one user
   * - user, social account and session are stored together or not at all
   *
   * The activation code of a pending user who is activated is void.
   */
  signInSocially(signIn: SocialSignIn): Promise<SocialSignInOutcome>;
}

export interface SavedState {
  readonly stateHash: Uint8Array;
  readonly provider: string;
  readonly redirectUri: string;
  /** The caller's own, given back at the end. */
  readonly clientState: string;
  readonly codeVerifier: string;
  readonly nonce: string;
  readonly expireTime: number;
}

export interface SocialSignIn {
  readonly account: {
    readonly provider: string;
    readonly socialId: string;
    readonly email: Email | undefined;
    readonly emailVerified: boolean;
    /** The provider's tokens, sealed. */
    readonly sealedCredentials: string;
  };
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
  | { readonly outcome: "user_not_active" };
