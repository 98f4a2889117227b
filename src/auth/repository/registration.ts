import type { Email, User } from "./users.ts";

/** From a filled in form to an active user. */
export interface RegistrationSteps {
  /**
   * Makes a pending user with an activation code.
   * - a pending user registers again under the same id
   * - an email or id of another user is not given twice
   *
   * Registering again makes the code before void.
   */
  registerUser(registration: Registration): Promise<RegistrationOutcome>;
}

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
