import type { NewMail } from "./mail.ts";
import type { Email, User } from "./users.ts";

/** From a filled in form to an active user. */
export interface RegistrationSteps {
  /**
   * Makes a pending user with an activation code, and the mail with it.
   * - a pending user registers again under the same id
   * - an email or id of another user is not given twice
   * - registrations of one email at once make one user, and the last code is good
   */
  registerUser(registration: Registration): Promise<RegistrationOutcome>;

  /** Tells what `completeRegistration` would come to, and changes nothing. */
  checkActivationCode(code: ActivationCode): Promise<"good" | ActivationRefusal>;

  /**
   * Makes a pending user active, with a password, if the code is the user's.
   * - an activation code is good once, whoever brings it at the same time
   * - an activation code is over at its expire time
   * - an older activation code is void, and so is one with another email
   * - a user who is active already is told so, whatever the code
   */
  completeRegistration(
    completion: ActivationCode & { readonly passwordHash: string },
  ): Promise<ActivationOutcome>;
}

export interface Registration {
  readonly email: Email;
  /** The id that the caller wants; undefined to take `newUserId`, or the pending user's own. */
  readonly userId: string | undefined;
  readonly newUserId: string;
  readonly codeHash: Uint8Array;
  readonly codeExpireTime: number;
  readonly mail: NewMail | undefined;
  readonly now: number;
}

export type RegistrationOutcome =
  | { readonly outcome: "registered"; readonly user: User }
  | { readonly outcome: "user_exists" };

export interface ActivationCode {
  readonly emailKey: string;
  readonly codeHash: Uint8Array;
  readonly now: number;
}

export type ActivationRefusal = "wrong_code" | "user_already_active";

export type ActivationOutcome =
  | { readonly outcome: "activated"; readonly user: User }
  | { readonly outcome: ActivationRefusal };
