import type {
  PasswordChange,
  PasswordChangeOutcome,
  PasswordSignIn,
  PasswordSignInOutcome,
  PasswordSteps,
  ResetToken,
} from "../../../auth/repository.ts";
import { passwordRefusal } from "../../../auth/rules/passwords.ts";
import { isGood, timedHash, toCredentials, toUser } from "./documents.ts";
import { keepMail } from "./mail.ts";
import { REVOKING } from "./revocations.ts";
import type { UserDocument } from "./schema.ts";
import { findSession } from "./session-checks.ts";
import { revokeSessionsOfUser } from "./session-ends.ts";
import { openSession } from "./session-starts.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./transactions.ts";
import { findUser, saveUser } from "./user-documents.ts";

export function passwordSteps({ step, alone }: AuthTransactions): PasswordSteps {
  return {
    findCredentials: (by) =>
      alone(async (reader) => {
        const user = await findUser(reader, by);
        return user && toCredentials(user);
      }),

    signInByPassword: (signIn) => step((transaction) => signInByPassword(transaction, signIn)),

    changePassword: (change) =>
      step((transaction) => changePassword(transaction, change), REVOKING),

    saveResetToken: ({ emailKey, tokenHash, expireTime, mail, now }) =>
      step(async (transaction) => {
        const user = await findUser(transaction, { emailKey });
        if (user === undefined) return "unknown";
        if (user.state !== "active") return "user_not_active";
        await saveUser(transaction, { ...user, resetToken: timedHash(tokenHash, expireTime) });
        const event = { type: "password_reset_requested", userId: user._id, time: now } as const;
        transaction.events.push(event);
        keepMail(transaction, mail);
        return "saved";
      }),

    checkResetToken: (token) =>
      alone(async (reader) => (await userOfResetToken(reader, token)) !== undefined),

    completePasswordReset: ({ passwordHash, mail, ...token }) =>
      step(async (transaction) => {
        const { emailKey, now } = token;
        const user = await userOfResetToken(transaction, token);
        if (user === undefined) return false;
        await saveUser(transaction, { ...user, passwordHash, resetToken: null, updateTime: now });
        await revokeSessionsOfUser(transaction, user._id, now);
        const { in: collections, options } = transaction;
        await collections.attempts.deleteMany({ account: emailKey }, options);
        const event = { type: "password_reset_completed", userId: user._id, time: now } as const;
        transaction.events.push(event);
        keepMail(transaction, mail);
        return true;
      }, REVOKING),
  };
}

async function signInByPassword(
  transaction: AuthTransaction,
  signIn: PasswordSignIn,
): Promise<PasswordSignInOutcome> {
  const { attemptId, userId, passwordHash, newPasswordHash, session, now } = signIn;
  const user = await findUser(transaction, { userId });
  const refused = passwordRefusal(user, passwordHash);
  if (user === undefined || refused !== undefined) {
    return { outcome: refused ?? "password_changed" };
  }
  await transaction.in.attempts.deleteOne({ _id: attemptId }, transaction.options);
  // The password is the same and only its hash is another: nothing that a caller sees changes.
  const saved = await saveUser(transaction, {
    ...user,
    passwordHash: newPasswordHash ?? passwordHash,
  });
  const opened = await openSession(transaction, { user: saved, session, now });
  return { outcome: "signed_in", user: toUser(saved), session: opened };
}

async function changePassword(
  transaction: AuthTransaction,
  change: PasswordChange,
): Promise<PasswordChangeOutcome> {
  const { attemptId, userId, passwordHash, newPasswordHash, keptTokenHash, mail, now } = change;
  const user = await findUser(transaction, { userId });
  const refused = passwordRefusal(user, passwordHash);
  if (user === undefined || refused !== undefined) return refused ?? "password_changed";
  await transaction.in.attempts.deleteOne({ _id: attemptId }, transaction.options);
  await saveUser(transaction, {
    ...user,
    passwordHash: newPasswordHash,
    resetToken: null,
    updateTime: now,
  });
  const kept = keptTokenHash && (await findSession(transaction, keptTokenHash, now))?.session;
  const sessionId = kept?.userId === userId ? kept._id : "";
  await revokeSessionsOfUser(transaction, userId, now, sessionId);
  transaction.events.push({ type: "password_changed", userId, sessionId, time: now });
  keepMail(transaction, mail);
  return "changed";
}

/** The user whose reset token it is; undefined if it is not good. */
async function userOfResetToken(
  reader: AuthReader,
  { emailKey, tokenHash, now }: ResetToken,
): Promise<UserDocument | undefined> {
  const user = await findUser(reader, { emailKey });
  return user !== undefined && isGood(user.resetToken, tokenHash, now) ? user : undefined;
}
