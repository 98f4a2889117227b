/** Users as such, whatever way they came. */
export interface UserSteps {
  /**
   * Looks up a user in any state, by id or by email key.
   * - a user is found by id exactly, and by email in any letter case
   * - social accounts are listed oldest link first
   */
  findUser(by: UserKey): Promise<User | undefined>;

  /**
   * Lists users, at most `limit`, in an order that does not change.
   * - users are filtered by state, by email prefix and by provider, and by all of them at once
   * - a list of users goes on where the page before ended, whatever came and went meanwhile
   *
   * A page may be short: it looks at a bounded number of users, and has a bounded number of bytes.
   */
  listUsers(query: UserQuery): Promise<UserPage>;

  /**
   * Writes the profile fields that are given, if the whole profile is at most `maxBytes` then.
   * - a profile is changed field by field, and its attributes as a whole
   * - a profile that grows too large is refused, and nothing changes
   * - the same profile again changes nothing
   */
  updateProfile(change: ProfileChange): Promise<ProfileChangeOutcome>;

  /**
   * Shuts a user out and ends every session of that user for good. Returns the user, or undefined
   * if there is none.
   * - a deactivated user has no session left
   * - a deactivated user's activation code and reset token are void
   */
  deactivateUser(request: UserRequest): Promise<User | undefined>;

  /**
   * Lets a user in. Returns the user, or undefined if there is none.
   * - an activated user has the password and social accounts of before, but no session
   * - a pending user who is activated has no code any more
   */
  activateUser(request: UserRequest): Promise<User | undefined>;

  /**
   * Removes a user. Returns whether there was one.
   * - a deleted user leaves nothing but events, and the email can register anew
   */
  deleteUser(request: UserRequest): Promise<boolean>;

  /**
   * Makes active users out of those of another system. Tells of each, in order, whether it was
   * made.
   * - imported users are active, with profile and password hash
   * - an import takes the email or id of a pending user, whose code is void then
   * - an import passes over a user whose email or id is taken, in the same import too
   */
  importUsers(request: {
    readonly users: readonly NewUser[];
    readonly now: number;
  }): Promise<readonly boolean[]>;
}

export type UserKey = { readonly userId: string } | { readonly emailKey: string };

export interface UserRequest {
  readonly userId: string;
  readonly now: number;
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

export interface UserQuery {
  readonly limit: number;
  /** `next` of the page before; undefined for the first page. */
  readonly after: string | undefined;
  readonly state: UserState | undefined;
  /** What the email key begins with; empty for all users. */
  readonly emailKeyPrefix: string;
  /** At which a user has an account; empty for all users. */
  readonly provider: string;
}

export interface UserPage {
  readonly users: readonly User[];
  /** Where the list goes on; undefined at its end. */
  readonly next: string | undefined;
}

export interface ProfileChange extends UserRequest {
  /** What is left out stays. */
  readonly profile: Partial<Profile>;
  /** Of the UTF-8 of every field, attribute keys included. */
  readonly maxBytes: number;
}

export type ProfileChangeOutcome =
  | { readonly outcome: "updated"; readonly user: User }
  | { readonly outcome: "unknown" | "user_not_active" | "too_large" };

export interface NewUser {
  readonly userId: string;
  readonly email: Email;
  readonly profile: Profile;
  /** Empty: no password. */
  readonly passwordHash: string;
}
