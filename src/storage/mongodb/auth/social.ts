import { Binary } from "mongodb";
import type {
  SavedState,
  SocialSignIn,
  SocialSignInOutcome,
  SocialSteps,
} from "../../../auth/repository.ts";
import { joinsByEmail, verifiedEmail } from "../../../auth/rules/social-accounts.ts";
import { toState, toUser } from "./documents.ts";
import { REVOKING } from "./revocations.ts";
import type { UserDocument } from "./schema.ts";
import { openSession } from "./session-starts.ts";
import { withAccount, withEmail, withToldProfile } from "./social-accounts.ts";
import {
  keepSocialCheck,
  linkSocialAccount,
  unlinkSocialAccount,
  withdrawConsent,
} from "./social-links.ts";
import type { AuthTransaction, AuthTransactions } from "./transactions.ts";
import {
  activated,
  findUser,
  findUserByAccount,
  insertUsers,
  newUser,
  saveUser,
} from "./user-documents.ts";

export function socialSteps({ step, alone }: AuthTransactions): SocialSteps {
  return {
    saveState: ({ stateHash, ...state }: SavedState) =>
      alone(async ({ in: { states }, options }) => {
        await states.insertOne({ _id: new Binary(stateHash), ...state }, options);
      }),

    // The driver may repeat this operation: MongoDB then answers what the first one did.
    consumeState: ({ stateHash, provider, now }) =>
      alone(async ({ in: { states }, options }) => {
        const taken = await states.findOneAndDelete(
          { _id: new Binary(stateHash), provider },
          options,
        );
        return taken !== null && taken.expireTime > now ? toState(taken) : undefined;
      }),

    signInSocially: (signIn) => step((transaction) => signInSocially(transaction, signIn)),

    linkSocialAccount: (link) => step((transaction) => linkSocialAccount(transaction, link)),

    unlinkSocialAccount: (request) =>
      step((transaction) => unlinkSocialAccount(transaction, request), REVOKING),

    keepSocialCheck: (check) => step((transaction) => keepSocialCheck(transaction, check)),

    withdrawConsent: (account) =>
      step((transaction) => withdrawConsent(transaction, account), REVOKING),
  };
}

async function signInSocially(
  transaction: AuthTransaction,
  signIn: SocialSignIn,
): Promise<SocialSignInOutcome> {
  const { account, profile, session, now } = signIn;
  const found = await findSocialUser(transaction, signIn);
  if (found?.state === "deactivated") return { outcome: "user_not_active", userId: found._id };

  let user: UserDocument;
  if (found === undefined) {
    const made = { userId: signIn.newUserId, email: undefined, state: "active", now } as const;
    user = await withEmail(transaction, newUser(made), account, now);
  } else if (found.state === "pending") {
    user = activated(found, now);
  } else {
    user = await withEmail(transaction, found, account, now);
  }
  user = withAccount(transaction, withToldProfile(user, profile, now), { account, now });
  if (found === undefined) await insertUsers(transaction, [user]);
  else user = await saveUser(transaction, user);

  const { provider, socialId } = account;
  const by = { provider, socialId };
  const opened = await openSession(transaction, { user, session, now, account: by });
  const created = found === undefined;
  return { outcome: "signed_in", user: toUser(user), session: opened, created };
}

/** By the account, else by an email that counts as verified. */
async function findSocialUser(
  transaction: AuthTransaction,
  { account }: SocialSignIn,
): Promise<UserDocument | undefined> {
  const byAccount = await findUserByAccount(transaction, account);
  if (byAccount !== undefined) return byAccount;
  const email = verifiedEmail(account);
  const byEmail = email && (await findUser(transaction, { emailKey: email.key }));
  if (byEmail === undefined) return undefined;
  return joinsByEmail(toUser(byEmail), account.provider) ? byEmail : undefined;
}
