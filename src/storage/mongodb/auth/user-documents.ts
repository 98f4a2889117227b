import type { Email, Profile, UserKey, UserState } from "../../../auth/repository.ts";
import { accountKey } from "./documents.ts";
import type { AccountDocument, UserDocument } from "./schema.ts";
import type { AuthReader, AuthTransaction } from "./transactions.ts";

/** A user who is not stored yet. */
export function newUser(user: {
  readonly userId: string;
  readonly email: Email | undefined;
  readonly state: UserState;
  readonly now: number;
}): UserDocument {
  const { userId, email, state, now } = user;
  return {
    _id: userId,
    version: 0,
    email: email?.address ?? "",
    ...(email !== undefined && { emailKey: email.key }),
    state,
    passwordHash: null,
    firstName: "",
    lastName: "",
    picture: "",
    locale: "",
    attributes: [],
    activationCode: null,
    resetToken: null,
    accounts: [],
    createTime: now,
    updateTime: now,
  };
}

export async function findUser(
  { in: { users }, options }: AuthReader,
  by: UserKey,
): Promise<UserDocument | undefined> {
  const filter = "userId" in by ? { _id: by.userId } : { emailKey: by.emailKey };
  return (await users.findOne(filter, options)) ?? undefined;
}

export async function findUserByAccount(
  { in: { users }, options }: AuthReader,
  account: Pick<AccountDocument, "provider" | "socialId">,
): Promise<UserDocument | undefined> {
  return (await users.findOne({ accountKeys: accountKey(account) }, options)) ?? undefined;
}

export async function insertUsers(
  { in: { users }, options }: AuthTransaction,
  made: readonly UserDocument[],
): Promise<void> {
  if (made.length > 0) await users.insertMany(made.map(withKeys), options);
}

/**
 * Writes a user who was found in the same transaction, and returns what was written. The version
 * grows, so that this conflicts with every other step of the user even if nothing else changes.
 */
export async function saveUser(
  { in: { users }, options }: AuthTransaction,
  user: UserDocument,
): Promise<UserDocument> {
  const saved = withKeys({ ...user, version: user.version + 1 });
  await users.replaceOne({ _id: user._id }, saved, options);
  return saved;
}

export function withKeys({ accountKeys: _, ...user }: UserDocument): UserDocument {
  const keys = user.accounts.map(accountKey);
  return keys.length === 0 ? user : { ...user, accountKeys: keys };
}

/**
 * The user as an active one. A pending user has not proved the email, so that a password of before
 * does not count.
 */
export function activated(user: UserDocument, now: number): UserDocument {
  return {
    ...user,
    state: "active",
    passwordHash: user.state === "pending" ? null : user.passwordHash,
    activationCode: null,
    updateTime: now,
  };
}

export function withProfile(user: UserDocument, profile: Profile): UserDocument {
  const { firstName, lastName, picture, locale, attributes } = profile;
  const pairs = Object.entries(attributes);
  return { ...user, firstName, lastName, picture, locale, attributes: pairs };
}
