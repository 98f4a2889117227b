/**
 * What AuthService keeps, and the steps by which it changes. A storage implements this port; the
 * suite in test/conformance/auth holds it to every obligation, which is each line that begins
 * with a dash, by a case of the same words.
 *
 * Every step is atomic and durable when its promise resolves: all of it or none. Steps that race
 * behave as if one ran after the other. Any step throws STORAGE_UNAVAILABLE if the database does
 * not answer.
 *
 * Times are milliseconds since the Unix epoch. What has an `expireTime` is over from that
 * millisecond on. An empty string stands for what is not known. Tokens, states and codes come as
 * SHA-256 hashes; the store never sees the secret itself.
 */
export interface AuthRepository {
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

  /**
   * Tells whose session a token is, and renews the session when its end is near.
   * - a session is found by its token, in a reopened store too
   * - a session is over at its expire time
   * - a session that ends soon is renewed, and keeps its id
   * - after a renewal the old token works until its time and leads to the same successor
   * - checks of a session that ends soon, at once, all succeed and renew it once
   * - a session of a deactivated user is answered with user_not_active
   *
   * The time of the last check is kept to the minute, so that most checks write nothing.
   */
  checkSession(check: SessionCheck): Promise<SessionCheckOutcome>;

  /**
   * Ends one session. Returns whether there was one to end.
   * - an ended session is unknown, and is ended once
   * - the old token of a renewed session ends it too, until its time
   */
  endSession(request: { readonly tokenHash: Uint8Array; readonly now: number }): Promise<boolean>;

  /**
   * Looks up a user in any state, by id or by email key.
   * - a user is found by id exactly, and by email in any letter case
   * - social accounts are listed oldest link first
   */
  findUser(
    by: { readonly userId: string } | { readonly emailKey: string },
  ): Promise<User | undefined>;

  /**
   * Makes a pending user with an activation code.
   * - a pending user registers again under the same id
   * - an email or id of another user is not given twice
   *
   * Registering again makes the code before void.
   */
  registerUser(registration: Registration): Promise<RegistrationOutcome>;

  /**
   * Shuts a user out and ends every session of that user for good. Returns the user, or undefined
   * if there is none. Activation codes are void.
   * - a deactivated user has no session left
   */
  deactivateUser(request: {
    readonly userId: string;
    readonly now: number;
  }): Promise<User | undefined>;
}

export type UserState = "pending" | "active" | "deactivated";

/** An email address and the form under which it is one account: see `parseEmail`. */
export interface Email {
  readonly address: string;
  readonly key: string;
}

export interface User {
  readonly id: string;
  readonly email: string;
  readonly state: UserState;
  readonly profile: Profile;
  readonly socialAccounts: readonly SocialAccount[];
  readonly hasPassword: boolean;
  readonly createTime: number;
  /** When anything in this record last changed. */
  readonly updateTime: number;
}

/** What a provider may tell of a person. */
export interface ProviderProfile {
  readonly firstName: string;
  readonly lastName: string;
  readonly picture: string;
  readonly locale: string;
}

export interface Profile extends ProviderProfile {
  readonly attributes: Readonly<Record<string, string>>;
}

export interface SocialAccount {
  readonly provider: string;
  readonly socialId: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly linkTime: number;
}

export interface Session {
  readonly id: string;
  /** The provider through which it was opened. */
  readonly provider: string;
  readonly device: string;
  readonly address: string;
  readonly createTime: number;
  readonly lastSeenTime: number;
  readonly expireTime: number;
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
  readonly session: {
    readonly id: string;
    readonly tokenHash: Uint8Array;
    readonly device: string;
    readonly address: string;
    readonly expireTime: number;
  };
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

export interface SessionCheck {
  readonly tokenHash: Uint8Array;
  readonly now: number;
  /** The session is renewed if it ends within this many milliseconds. */
  readonly renewWithinMs: number;
  readonly renewal: {
    /** The token's successor, made from the token and `salt`. */
    readonly tokenHash: Uint8Array;
    readonly salt: Uint8Array;
    readonly expireTime: number;
    /** Until when the token so far works. */
    readonly oldTokenExpireTime: number;
  };
}

export type SessionCheckOutcome =
  | {
      readonly outcome: "live";
      readonly user: User;
      readonly session: Session;
      /** What makes the token's successor; undefined while the token is the one to use. */
      readonly successorSalt: Uint8Array | undefined;
    }
  | { readonly outcome: "unknown" }
  | { readonly outcome: "user_not_active" };

export interface Registration {
  readonly email: Email;
  /** The id that the caller wants; undefined to take `newUserId`, or the pending user's own. */
  readonly userId: string | undefined;
  readonly newUserId: string;
  readonly codeHash: Uint8Array;
  readonly codeExpireTime: number;
  readonly now: number;
}

export type RegistrationOutcome =
  | { readonly outcome: "registered"; readonly user: User }
  | { readonly outcome: "user_exists" };

/** A key that seals secrets at rest: AES-256. */
export interface SealingKey {
  /** Names the key in what it sealed. Letters and digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Where the sealing keys come from: a file beside the data, or a setting. */
export interface KeyStore {
  /** The first seals, and every one opens. Never empty. */
  readonly sealingKeys: readonly SealingKey[];
}
