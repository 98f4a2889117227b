import type {
  DueAccount,
  SocialCheck,
  SocialLink,
  SocialLinkOutcome,
  SocialUnlinking,
  SocialUnlinkOutcome,
  User,
} from "../../../auth/repository.ts";
import { unlinking } from "../../../auth/rules/social-accounts.ts";
import { recordEvent } from "./audit.ts";
import { text } from "./rows.ts";
import { endSession } from "./session-ends.ts";
import { fillProfile, giveEmail, storeAccount, updateEmail } from "./social-accounts.ts";
import type { AuthStatements } from "./statements.ts";
import { userOf } from "./user-rows.ts";

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
  { userId, provider, configured, now }: SocialUnlinking,
): SocialUnlinkOutcome {
  if (sql.userById.get({ userId }) === undefined) return { outcome: "unknown" };
  const user = userOf(sql, userId);
  const unlinked = unlinking(user, provider, configured);
  if (unlinked === "none") return { outcome: "unlinked", user };
  if (unlinked === "last_method") return { outcome: "last_method" };
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
    if (email !== undefined) {
      updateEmail(sql, userId, { provider, socialId, email, emailVerified }, now);
    }
    giveEmail(sql, userId, told, now);
    fillProfile(sql, userId, profile, now);
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
