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
import { toUser } from "./documents.ts";
import { endSessions, liveSessionsOfUser } from "./session-ends.ts";
import {
  accountOf,
  changeAccount,
  withAccount,
  withAccountEmail,
  withEmail,
  withToldProfile,
} from "./social-accounts.ts";
import type { AuthTransaction } from "./transactions.ts";
import { findUser, findUserByAccount, saveUser } from "./user-documents.ts";

export async function linkSocialAccount(
  transaction: AuthTransaction,
  { account, sessionId, now }: SocialLink,
): Promise<SocialLinkOutcome> {
  const live = { _id: sessionId, expireTime: { $gt: now }, endTime: null };
  const session = await transaction.in.sessions.findOne(live, transaction.options);
  const user = session && (await findUser(transaction, { userId: session.userId }));
  if (!user) return { outcome: "session_over" };
  const owner = await findUserByAccount(transaction, account);
  if (owner !== undefined && owner._id !== user._id) return { outcome: "in_use" };
  const known = await withEmail(transaction, user, account, now);
  const linked = withAccount(transaction, known, { account, sessionId, now });
  return { outcome: "linked", user: toUser(await saveUser(transaction, linked)) };
}

export async function unlinkSocialAccount(
  transaction: AuthTransaction,
  { userId, provider, configured, now }: SocialUnlinking,
): Promise<SocialUnlinkOutcome> {
  const user = await findUser(transaction, { userId });
  if (user === undefined) return { outcome: "unknown" };
  const unlinked = unlinking(toUser(user), provider, configured);
  if (unlinked === "none") return { outcome: "unlinked", user: toUser(user) };
  if (unlinked === "last_method") return { outcome: "last_method" };
  const accounts = user.accounts.filter((account) => account.provider !== provider);
  const live = await liveSessionsOfUser(transaction, userId, now);
  const ended = live.filter((session) => session.provider === provider);
  await endSessions(transaction, ended, "session_revoked", now);
  // Those that a deactivation closed go as well: their account is gone.
  await transaction.in.sessions.deleteMany({ userId, provider }, transaction.options);
  const saved = await saveUser(transaction, { ...user, accounts, updateTime: now });
  transaction.events.push({ type: "social_account_unlinked", userId, provider, time: now });
  return { outcome: "unlinked", user: toUser(saved) };
}

export async function keepSocialCheck(
  transaction: AuthTransaction,
  check: SocialCheck,
): Promise<User | undefined> {
  const { account, sealedCredentials, confirmed, told, now } = check;
  const { provider, socialId } = account;
  const found = await findUserByAccount(transaction, account);
  if (found === undefined) return undefined;
  if (accountOf(found, account)?.sealedCredentials !== account.sealedCredentials) return undefined;
  const kept = { sealedCredentials, ...(confirmed && { confirmTime: now }) };
  let user = changeAccount(found, account, kept);
  if (told !== undefined) {
    const { email, emailVerified, profile } = told;
    if (email !== undefined) {
      user = withAccountEmail(user, { provider, socialId, email, emailVerified }, now);
    }
    user = await withEmail(transaction, user, told, now);
    user = withToldProfile(user, profile, now);
  }
  return toUser(await saveUser(transaction, user));
}

export async function withdrawConsent(
  transaction: AuthTransaction,
  { now, ...account }: DueAccount & { now: number },
): Promise<boolean> {
  const user = await findUserByAccount(transaction, account);
  if (user === undefined) return false;
  const { provider, socialId, sealedCredentials } = account;
  if (accountOf(user, account)?.sealedCredentials !== sealedCredentials) return false;
  // Nothing of the user changes, but that a sign-in by the same account must not race with this.
  await saveUser(transaction, user);
  const live = await liveSessionsOfUser(transaction, user._id, now);
  const ended = live.filter(
    (session) => session.provider === provider && session.socialId === socialId,
  );
  await endSessions(transaction, ended, "session_revoked", now);
  return true;
}
