/** Users as such, whatever way they came. */
export interface UserSteps {
  /**
   * Looks up a user in any state, by id or by email key.
   * - a user is found by id exactly, and by email in any letter case
   * - social accounts are listed oldest link first
   */
  findUser(
    by: { readonly userId: string } | { readonly emailKey: string },
  ): Promise<User | undefined>;

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
