import type { ProviderProfile, ToldAccount } from "../../../auth/repository.ts";
import { toldChanges } from "../../../auth/rules/profiles.ts";
import { verifiedEmail } from "../../../auth/rules/social-accounts.ts";
import { accountKey, toProfile } from "./documents.ts";
import type { AccountDocument, UserDocument } from "./schema.ts";
import type { AuthTransaction } from "./transactions.ts";
import { findUser } from "./user-documents.ts";

/*
 * What a provider tells, as changes of a user's document that is saved afterwards.
 */

/** The user with a social account, new or again. */
export function withAccount(
  { events }: AuthTransaction,
  user: UserDocument,
  {
    account,
    sessionId = "",
    now,
  }: {
    readonly account: ToldAccount;
    /** In which it is linked; left out in a sign-in. */
    readonly sessionId?: string;
    readonly now: number;
  },
): UserDocument {
  const { provider, socialId, sealedCredentials } = account;
  const fresh = { sealedCredentials, confirmTime: now, askTime: now };
  if (accountOf(user, account) === undefined) {
    const { _id: userId } = user;
    events.push({ type: "social_account_linked", userId, sessionId, provider, time: now });
    const linked = { provider, socialId, ...emailOf(account), ...fresh, linkTime: now };
    return { ...user, accounts: [...user.accounts, linked], updateTime: now };
  }
  const before = accountOf(user, account)?.sealedCredentials ?? "";
  const kept = account.completedBy?.(before) ?? sealedCredentials;
  const changed = withAccountEmail(user, account, now);
  return changeAccount(changed, account, { ...fresh, sealedCredentials: kept });
}

/** A user who has no email, with a verified one that is told, unless another user has it. */
export async function withEmail(
  transaction: AuthTransaction,
  user: UserDocument,
  told: Pick<ToldAccount, "email" | "emailVerified">,
  now: number,
): Promise<UserDocument> {
  const email = verifiedEmail(told);
  if (email === undefined || user.emailKey !== undefined) return user;
  if ((await findUser(transaction, { emailKey: email.key })) !== undefined) return user;
  return { ...user, email: email.address, emailKey: email.key, updateTime: now };
}

/** The user with what a provider tells of the profile. */
export function withToldProfile(
  user: UserDocument,
  told: ProviderProfile,
  now: number,
): UserDocument {
  const changes = toldChanges(toProfile(user), told);
  return changes === undefined ? user : { ...user, ...changes, updateTime: now };
}

/** The email that an account has now. */
export function withAccountEmail(
  user: UserDocument,
  told: Omit<ToldAccount, "sealedCredentials">,
  now: number,
): UserDocument {
  const before = accountOf(user, told);
  const { email, emailVerified } = emailOf(told);
  if (before?.email === email && before.emailVerified === emailVerified) return user;
  return { ...changeAccount(user, told, { email, emailVerified }), updateTime: now };
}

type AccountName = Pick<AccountDocument, "provider" | "socialId">;

export function accountOf(user: UserDocument, name: AccountName): AccountDocument | undefined {
  const key = accountKey(name);
  return user.accounts.find((account) => accountKey(account) === key);
}

export function changeAccount(
  user: UserDocument,
  name: AccountName,
  change: Partial<AccountDocument>,
): UserDocument {
  const changed = accountOf(user, name);
  const accounts = user.accounts.map((account) =>
    account === changed ? { ...account, ...change } : account,
  );
  return { ...user, accounts };
}

function emailOf({ email, emailVerified }: Pick<ToldAccount, "email" | "emailVerified">) {
  return { email: email?.address ?? "", emailVerified };
}
