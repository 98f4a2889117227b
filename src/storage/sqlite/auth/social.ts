import type { SocialSignIn, SocialSignInOutcome, SocialSteps } from "../../../auth/repository.ts";
import { joinsByEmail, verifiedEmail } from "../../../auth/rules/social-accounts.ts";
import { type Row, text, toState } from "./rows.ts";
import { openSession } from "./session-starts.ts";
import { fillProfile, giveEmail, storeAccount } from "./social-accounts.ts";
import {
  keepSocialCheck,
  linkSocialAccount,
  unlinkSocialAccount,
  withdrawConsent,
} from "./social-links.ts";
import type { AuthStatements } from "./statements.ts";
import { SWEPT_WITH_INSERT } from "./sweeping.ts";
import type { AuthTransactions } from "./transactions.ts";
import { userOf } from "./user-rows.ts";

export function socialSteps({ sql, step, add, signIn, erase }: AuthTransactions): SocialSteps {
  return {
    saveState: (state, now) =>
      add(() => {
        sql.sweepStates.run({ now, limit: SWEPT_WITH_INSERT });
        sql.insertState.run({ ...state });
      }),

    consumeState: ({ stateHash, provider, now }) =>
      step(() => {
        const row = sql.takeState.get({ stateHash, provider });
        const state = row === undefined ? undefined : toState(row);
        return state !== undefined && state.expireTime > now ? state : undefined;
      }),

    signInSocially: (request) => signIn(() => signInSocially(sql, request)),

    linkSocialAccount: (link) => step(() => linkSocialAccount(sql, link)),

    unlinkSocialAccount: (request) => erase(() => unlinkSocialAccount(sql, request)),

    keepSocialCheck: (check) => step(() => keepSocialCheck(sql, check)),

    withdrawConsent: (account) => step(() => withdrawConsent(sql, account)),
  };
}

function signInSocially(sql: AuthStatements, signIn: SocialSignIn): SocialSignInOutcome {
  const { account, profile, session, now } = signIn;
  const found = findSocialUser(sql, signIn);
  if (found?.["state"] === "deactivated") {
    return { outcome: "user_not_active", userId: text(found, "id") };
  }

  const userId = found === undefined ? signIn.newUserId : text(found, "id");
  if (found === undefined) {
    const none = { email: null, emailKey: null };
    sql.insertUser.run({ userId, ...none, state: "active", now });
    giveEmail(sql, userId, account, now);
  } else if (found["state"] === "pending") {
    sql.activateUser.run({ userId, now });
    sql.voidCode.run({ userId });
  } else {
    giveEmail(sql, userId, account, now);
  }
  fillProfile(sql, userId, profile, now);
  storeAccount(sql, { userId, account, now });

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
  const { provider, socialId } = account;
  const byAccount = sql.userByAccount.get({ provider, socialId });
  if (byAccount !== undefined) return byAccount;
  const email = verifiedEmail(account);
  const byEmail = email && sql.userByEmail.get({ emailKey: email.key });
  if (byEmail === undefined) return undefined;
  return joinsByEmail(userOf(sql, text(byEmail, "id")), provider) ? byEmail : undefined;
}
