import type { ProviderProfile, ToldAccount } from "../../../auth/repository.ts";
import { toldChanges } from "../../../auth/rules/profiles.ts";
import { verifiedEmail } from "../../../auth/rules/social-accounts.ts";
import { recordEvent } from "./audit.ts";
import { required, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import { userOf, writeProfile } from "./user-rows.ts";

/** Stores a social account for a user, new or again, as part of the transaction under way. */
export function storeAccount(
  sql: AuthStatements,
  {
    userId,
    account,
    sessionId = "",
    now,
  }: {
    readonly userId: string;
    readonly account: ToldAccount;
    /** In which it is linked; left out in a sign-in. */
    readonly sessionId?: string;
    readonly now: number;
  },
): void {
  const { provider, socialId, sealedCredentials } = account;
  const email = account.email?.address ?? "";
  const emailVerified = account.emailVerified ? 1 : 0;
  const values = { provider, socialId, userId, email, emailVerified, sealedCredentials, now };
  if (sql.insertAccount.run(values).changes) {
    recordEvent(sql, { type: "social_account_linked", userId, sessionId, provider, time: now });
    sql.touchUser.run({ userId, now });
    return;
  }
  updateEmail(sql, userId, account, now);
  sql.updateAccountCredentials.run({
    provider,
    socialId,
    sealedCredentials: keptCredentials(sql, account),
    now,
  });
}

/** The credentials of an account that was known before. */
function keptCredentials(
  sql: AuthStatements,
  { provider, socialId, sealedCredentials, completedBy }: ToldAccount,
): string {
  if (completedBy === undefined) return sealedCredentials;
  const before = required(sql.credentialsOfAccount.get({ provider, socialId }));
  return completedBy(text(before, "sealed_credentials"));
}

/** Gives a verified email to a user who has none, unless another user has it. */
export function giveEmail(
  sql: AuthStatements,
  userId: string,
  told: Pick<ToldAccount, "email" | "emailVerified">,
  now: number,
): void {
  const email = verifiedEmail(told);
  if (email === undefined) return;
  sql.giveEmail.run({ userId, email: email.address, emailKey: email.key, now });
}

/** The email that an account has now. */
export function updateEmail(
  sql: AuthStatements,
  userId: string,
  { provider, socialId, email, emailVerified }: Omit<ToldAccount, "sealedCredentials">,
  now: number,
): void {
  const told = { email: email?.address ?? "", emailVerified: emailVerified ? 1 : 0 };
  const { changes } = sql.updateAccountEmail.run({ provider, socialId, ...told });
  if (changes) sql.touchUser.run({ userId, now });
}

/** Writes what a provider tells of a user. */
export function fillProfile(
  sql: AuthStatements,
  userId: string,
  told: ProviderProfile,
  now: number,
): void {
  const { profile } = userOf(sql, userId);
  const changes = toldChanges(profile, told);
  if (changes !== undefined) writeProfile(sql, userId, { ...profile, ...changes }, now);
}
