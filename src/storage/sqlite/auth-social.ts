import type { SocialSignIn, SocialSignInOutcome, SocialSteps } from "../../auth/repository.ts";
import { recordEvent } from "./auth-audit.ts";
import { type Row, text, toState } from "./auth-rows.ts";
import { openSession } from "./auth-sessions.ts";
import type { AuthStatements } from "./auth-statements.ts";
import { SWEPT_WITH_INSERT } from "./auth-sweeping.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { userOf } from "./auth-users.ts";

export function socialSteps({ sql, step }: AuthTransactions): SocialSteps {
  return {
    saveState: (state, now) =>
      step(() => {
        sql.sweepStates.run({ now, limit: SWEPT_WITH_INSERT });
        sql.insertState.run({ ...state });
      }),

    consumeState: ({ stateHash, provider, now }) =>
      step(() => {
        const row = sql.takeState.get({ stateHash, provider });
        const state = row === undefined ? undefined : toState(row);
        return state !== undefined && state.expireTime > now ? state : undefined;
      }),

    signInSocially: (signIn) => step(() => signInSocially(sql, signIn)),
  };
}

function signInSocially(sql: AuthStatements, signIn: SocialSignIn): SocialSignInOutcome {
  const { account, profile, session, now } = signIn;
  const verified = account.emailVerified ? account.email : undefined;
  const found = findSocialUser(sql, signIn);
  if (found?.["state"] === "deactivated") return { outcome: "user_not_active" };

  const userId = found === undefined ? signIn.newUserId : text(found, "id");
  if (found === undefined) {
    const email = verified?.address ?? null;
    const emailKey = verified?.key ?? null;
    sql.insertUser.run({ userId, email, emailKey, state: "active", now });
  } else if (found["state"] === "pending") {
    sql.activateUser.run({ userId, now });
    sql.voidCode.run({ userId });
  } else if (verified !== undefined) {
    sql.giveEmail.run({ userId, email: verified.address, emailKey: verified.key, now });
  }
  sql.fillProfile.run({ userId, ...profile, now });
  storeAccount(sql, userId, signIn);

  const { provider, socialId } = account;
  const opened = openSession(sql, { userId, session, now, account: { provider, socialId } });
  return {
    outcome: "signed_in",
    user: userOf(sql, userId),
    session: opened,
    created: found === undefined,
  };
}

/** By the account, else by an email that counts as verified. */
function findSocialUser(sql: AuthStatements, { account }: SocialSignIn): Row | undefined {
  const { provider, socialId, email, emailVerified } = account;
  const byAccount = sql.userByAccount.get({ provider, socialId });
  if (byAccount !== undefined || email === undefined || !emailVerified) return byAccount;
  return sql.userByEmail.get({ emailKey: email.key });
}

function storeAccount(sql: AuthStatements, userId: string, { account, now }: SocialSignIn): void {
  const { provider, socialId, sealedCredentials } = account;
  const email = account.email?.address ?? "";
  const emailVerified = account.emailVerified ? 1 : 0;
  const key = { provider, socialId };
  const values = { ...key, userId, email, emailVerified, sealedCredentials, now };
  const linked = sql.insertAccount.run(values).changes;
  if (linked) recordEvent(sql, { type: "social_account_linked", userId, provider, time: now });
  const changed = linked || sql.updateAccountEmail.run({ ...key, email, emailVerified }).changes;
  if (changed) sql.touchUser.run({ userId, now });
  if (!linked) sql.updateAccountCredentials.run({ ...key, sealedCredentials });
}
