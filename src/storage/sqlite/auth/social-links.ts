import type {
  DueAccount,
  SocialCheck,
  SocialLink,
  SocialLinkOutcome,
  SocialUnlinkOutcome,
  ToldAccount,
  User,
} from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { text } from "./rows.ts";
import { endSession } from "./session-ends.ts";
import type { AuthStatements } from "./statements.ts";
import { userOf } from "./users.ts";

export function linkSocialAccount(
  sql: AuthStatements,
  { account, sessionId, now }: SocialLink,
): SocialLinkOutcome {
  const session = sql.liveSession.get({ id: sessionId, now });
  if (session === undefined) return { outcome: "session_over" };
  const userId = text(session, "user_id");
  const { provider, socialId } = account;
  const owner = sql.userByAccount.get({ provider, socialId });
  if (owner !== undefined && text(owner, "id") !== userId) return { outcome: "in_use" };
  giveEmail(sql, userId, account, now);
  storeAccount(sql, { userId, account, sessionId, now });
  return { outcome: "linked", user: userOf(sql, userId) };
}

export function unlinkSocialAccount(
  sql: AuthStatements,
  { userId, provider, now }: { userId: string; provider: string; now: number },
): SocialUnlinkOutcome {
  if (sql.userById.get({ userId }) === undefined) return { outcome: "unknown" };
  const user = userOf(sql, userId);
  const others = user.socialAccounts.filter((account) => account.provider !== provider);
  if (others.length === user.socialAccounts.length) return { outcome: "unlinked", user };
  if (others.length === 0 && !user.hasPassword) return { outcome: "last_method" };
  for (const session of sql.liveSessionsOfUser.all({ userId, now })) {
    if (session["provider"] === provider) endSession(sql, session, "session_revoked", now);
  }
  sql.deleteAccounts.run({ userId, provider });
  sql.touchUser.run({ userId, now });
  recordEvent(sql, { type: "social_account_unlinked", userId, provider, time: now });
  return { outcome: "unlinked", user: userOf(sql, userId) };
}

export function keepSocialCheck(sql: AuthStatements, check: SocialCheck): User | undefined {
  const { account, sealedCredentials, confirmed, told, now } = check;
  const { provider, socialId, sealedCredentials: before } = account;
  const values = {
    provider,
    socialId,
    before,
    sealedCredentials,
    confirmed: confirmed ? 1 : 0,
    now,
  };
  const kept = sql.keepAskedAccount.get(values);
  if (kept === undefined) return undefined;
  const userId = text(kept, "user_id");
  if (told !== undefined) {
    const { email, emailVerified, profile } = told;
    if (email !== undefined)
      updateEmail(sql, userId, { provider, socialId, email, emailVerified }, now);
    giveEmail(sql, userId, told, now);
    sql.fillProfile.run({ userId, ...profile, now });
  }
  return userOf(sql, userId);
}

export function withdrawConsent(
  sql: AuthStatements,
  { now, ...account }: DueAccount & { now: number },
): boolean {
  if (sql.accountByCredentials.get(account) === undefined) return false;
  const { provider, socialId } = account;
  for (const session of sql.liveSessionsOfAccount.all({ provider, socialId, now })) {
    endSession(sql, session, "session_revoked", now);
  }
  return true;
}

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
  sql.updateAccountCredentials.run({ provider, socialId, sealedCredentials, now });
}

/** Gives a verified email to a user who has none, unless another user has it. */
export function giveEmail(
  sql: AuthStatements,
  userId: string,
  { email, emailVerified }: Pick<ToldAccount, "email" | "emailVerified">,
  now: number,
): void {
  if (email === undefined || !emailVerified) return;
  sql.giveEmail.run({ userId, email: email.address, emailKey: email.key, now });
}

function updateEmail(
  sql: AuthStatements,
  userId: string,
  { provider, socialId, email, emailVerified }: Omit<ToldAccount, "sealedCredentials">,
  now: number,
): void {
  const told = { email: email?.address ?? "", emailVerified: emailVerified ? 1 : 0 };
  const { changes } = sql.updateAccountEmail.run({ provider, socialId, ...told });
  if (changes) sql.touchUser.run({ userId, now });
}
