import type {
  Credentials,
  PasswordChange,
  PasswordChangeOutcome,
  PasswordSignIn,
  PasswordSignInOutcome,
  PasswordSteps,
  ResetToken,
} from "../../../auth/repository.ts";
import { passwordRefusal } from "../../../auth/rules/passwords.ts";
import { isSameHash } from "../../same-hash.ts";
import { recordEvent } from "./audit.ts";
import { keepMail } from "./mail.ts";
import { bytes, type Row, stateOf, text, toEmail } from "./rows.ts";
import { revokeSessionsOfUser } from "./session-ends.ts";
import { openSession } from "./session-starts.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";
import { findUser, userOf } from "./user-rows.ts";

export function passwordSteps({ sql, step, add, signIn, erase }: AuthTransactions): PasswordSteps {
  return {
    findCredentials: (by) =>
      step(() => {
        const row = findUser(sql, by);
        return row === undefined ? undefined : toCredentials(row);
      }),

    signInByPassword: (request) => signIn(() => signInByPassword(sql, request)),

    changePassword: (change) => erase(() => changePassword(sql, change)),

    saveResetToken: ({ emailKey, tokenHash, expireTime, mail, now }) =>
      add(() => {
        const row = sql.userByEmail.get({ emailKey });
        if (row === undefined) return "unknown";
        if (row["state"] !== "active") return "user_not_active";
        const userId = text(row, "id");
        sql.replaceResetToken.run({ userId, tokenHash, expireTime });
        recordEvent(sql, { type: "password_reset_requested", userId, time: now });
        keepMail(sql, mail);
        return "saved";
      }),

    checkResetToken: (token) => step(() => userOfResetToken(sql, token) !== undefined),

    completePasswordReset: ({ passwordHash, mail, ...token }) =>
      erase(() => {
        const { emailKey, now } = token;
        const userId = userOfResetToken(sql, token);
        if (userId === undefined) return false;
        sql.setPassword.run({ userId, passwordHash, now });
        sql.voidResetToken.run({ userId });
        revokeSessionsOfUser(sql, userId, now);
        sql.forgetAttempts.run({ account: emailKey });
        recordEvent(sql, { type: "password_reset_completed", userId, time: now });
        keepMail(sql, mail);
        return true;
      }),
  };
}

function signInByPassword(sql: AuthStatements, signIn: PasswordSignIn): PasswordSignInOutcome {
  const { attemptId, userId, newPasswordHash, session, now } = signIn;
  const refused = refusalOf(sql, signIn);
  if (refused !== undefined) return { outcome: refused };
  sql.releaseAttempt.run({ id: attemptId });
  if (newPasswordHash !== undefined) {
    sql.rehashPassword.run({ userId, passwordHash: newPasswordHash });
  }
  const opened = openSession(sql, { userId, session, now });
  return { outcome: "signed_in", user: userOf(sql, userId), session: opened };
}

function changePassword(sql: AuthStatements, change: PasswordChange): PasswordChangeOutcome {
  const { attemptId, userId, newPasswordHash, keptTokenHash, mail, now } = change;
  const refused = refusalOf(sql, change);
  if (refused !== undefined) return refused;
  sql.releaseAttempt.run({ id: attemptId });
  sql.setPassword.run({ userId, passwordHash: newPasswordHash, now });
  sql.voidResetToken.run({ userId });
  const kept = keptTokenHash && sql.sessionByToken.get({ tokenHash: keptTokenHash, now });
  const sessionId = kept?.["user_id"] === userId ? text(kept, "id") : "";
  revokeSessionsOfUser(sql, userId, now, sessionId);
  recordEvent(sql, { type: "password_changed", userId, sessionId, time: now });
  keepMail(sql, mail);
  return "changed";
}

function refusalOf(
  sql: AuthStatements,
  { userId, passwordHash }: Pick<PasswordSignIn, "userId" | "passwordHash">,
) {
  const row = sql.userById.get({ userId });
  const found = row && { state: stateOf(row), passwordHash: row["password_hash"] as string | null };
  return passwordRefusal(found, passwordHash);
}

/** The user whose reset token it is; undefined if it is not good. */
function userOfResetToken(sql: AuthStatements, token: ResetToken): string | undefined {
  const { emailKey, tokenHash, now } = token;
  const user = sql.userByEmail.get({ emailKey });
  if (user === undefined) return undefined;
  const userId = text(user, "id");
  const row = sql.resetTokenOfUser.get({ userId, now });
  return row !== undefined && isSameHash(bytes(row, "token_hash"), tokenHash) ? userId : undefined;
}

function toCredentials(row: Row): Credentials {
  return {
    userId: text(row, "id"),
    state: stateOf(row),
    email: toEmail(row),
    passwordHash: text(row, "password_hash"),
  };
}
