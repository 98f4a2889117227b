import type { NewMail } from "./mail.ts";
import type { NewSession, Session } from "./sessions.ts";
import type { Email, User, UserKey, UserState } from "./users.ts";

/** Sign-in by password, and the ways to another password. */
export interface PasswordSteps {
  /**
   * What a password is checked against.
   * - credentials are found by id and by email, in any state of the user
   */
  findCredentials(by: UserKey): Promise<Credentials | undefined>;

  /**
   * Opens a session for a user whose password was right, and takes the try back.
   * - a password opens a session, and the try does not count
   * - a password that was changed since it was checked opens no session
   * - a user who was deactivated since the password was checked gets no session
   * - a password is hashed anew where a new hash comes with the sign-in
   */
  signInByPassword(signIn: PasswordSignIn): Promise<PasswordSignInOutcome>;

  /**
   * Sets another password for a user whose old one was right, and takes the try back.
   * - another password ends every session but the one that is kept, and voids the reset token
   * - of two changes of one password at once, one is made
   */
  changePassword(change: PasswordChange): Promise<PasswordChangeOutcome>;

  /**
   * Makes a reset token for an active user, and the mail with it.
   * - a reset token is made for active users alone
   */
  saveResetToken(reset: {
    readonly emailKey: string;
    readonly tokenHash: Uint8Array;
    readonly expireTime: number;
    readonly mail: NewMail | undefined;
    readonly now: number;
  }): Promise<"saved" | "unknown" | "user_not_active">;

  /** Tells whether `completePasswordReset` would take a token, and changes nothing. */
  checkResetToken(token: ResetToken): Promise<boolean>;

  /**
   * Sets a password by a reset token. Returns whether the token was good.
   * - a reset token is good once, whoever brings it at the same time
   * - a reset token is over at its expire time
   * - an older reset token is void, and so is one with another email
   * - a reset ends every session of the user and lifts the lock of the account
   */
  completePasswordReset(
    completion: ResetToken & {
      readonly passwordHash: string;
      readonly mail: NewMail | undefined;
    },
  ): Promise<boolean>;
}

export interface Credentials {
  readonly userId: string;
  readonly state: UserState;
  readonly email: Email | undefined;
  /** Empty: the user has no password. */
  readonly passwordHash: string;
}

export interface PasswordSignIn {
  readonly attemptId: string;
  readonly userId: string;
  /** The hash that the password was checked against. */
  readonly passwordHash: string;
  /** The hash that replaces it; undefined if it stays. */
  readonly newPasswordHash: string | undefined;
  readonly session: NewSession;
  readonly now: number;
}

export type PasswordSignInOutcome =
  | { readonly outcome: "signed_in"; readonly user: User; readonly session: Session }
  | { readonly outcome: "user_not_active" | "password_changed" };

export interface PasswordChange {
  readonly attemptId: string;
  readonly userId: string;
  /** The hash that the old password was checked against. */
  readonly passwordHash: string;
  readonly newPasswordHash: string;
  /** The session to keep; undefined for none. */
  readonly keptTokenHash: Uint8Array | undefined;
  readonly mail: NewMail | undefined;
  readonly now: number;
}

export type PasswordChangeOutcome = "changed" | "user_not_active" | "password_changed";

export interface ResetToken {
  readonly emailKey: string;
  readonly tokenHash: Uint8Array;
  readonly now: number;
}
