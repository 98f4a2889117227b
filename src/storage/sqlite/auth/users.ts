import type {
  NewUser,
  ProfileChange,
  ProfileChangeOutcome,
  User,
  UserRequest,
  UserSteps,
} from "../../../auth/repository.ts";
import { accountsOfUser } from "../../../auth/rules/attempt-limits.ts";
import { changedProfile } from "../../../auth/rules/profiles.ts";
import { recordEvent } from "./audit.ts";
import { recordRevocation } from "./revocations.ts";
import { type Row, text } from "./rows.ts";
import { closeSessionsOfUser } from "./session-ends.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";
import { listUsers } from "./user-lists.ts";
import { findUser, userOf, withAccounts, writeProfile } from "./user-rows.ts";

export function userSteps({ sql, step, add, erase }: AuthTransactions): UserSteps {
  return {
    findUser: (by) => step(() => maybeUser(sql, findUser(sql, by))),

    listUsers: (query) => step(() => listUsers(sql, query)),

    updateProfile: (change) => step(() => updateProfile(sql, change)),

    deactivateUser: (request) => step(() => deactivateUser(sql, request)),

    activateUser: ({ userId, now }) =>
      step(() => {
        if (sql.activateUser.run({ userId, now }).changes) {
          sql.voidCode.run({ userId });
          recordEvent(sql, { type: "activated", userId, time: now });
        }
        return maybeUser(sql, sql.userById.get({ userId }));
      }),

    deleteUser: ({ userId, now }) =>
      erase(() => {
        const row = sql.userById.get({ userId });
        if (row === undefined) return false;
        sql.deleteUser.run({ userId });
        for (const account of accountsOfUser(userId, text(row, "email_key"))) {
          sql.forgetAttempts.run({ account });
        }
        recordEvent(sql, { type: "deleted", userId, time: now });
        recordRevocation(sql, { userId }, now);
        return true;
      }),

    importUsers: ({ users, now }) => add(() => users.map((user) => importUser(sql, user, now))),
  };
}

function deactivateUser(sql: AuthStatements, { userId, now }: UserRequest): User | undefined {
  if (sql.deactivateUser.run({ userId, now }).changes) {
    sql.voidCode.run({ userId });
    sql.voidResetToken.run({ userId });
    closeSessionsOfUser(sql, userId, now);
    recordEvent(sql, { type: "deactivated", userId, time: now });
  }
  return maybeUser(sql, sql.userById.get({ userId }));
}

function updateProfile(sql: AuthStatements, change: ProfileChange): ProfileChangeOutcome {
  const { userId, now } = change;
  const row = sql.userById.get({ userId });
  if (row === undefined) return { outcome: "unknown" };
  if (row["state"] !== "active") return { outcome: "user_not_active" };
  const user = withAccounts(sql, row);
  const profile = changedProfile(user.profile, change);
  if (profile === "same") return { outcome: "updated", user };
  if (profile === "too_large") return { outcome: "too_large" };
  writeProfile(sql, userId, profile, now);
  recordEvent(sql, { type: "profile_updated", userId, time: now });
  return { outcome: "updated", user: userOf(sql, userId) };
}

/** Returns whether the user was made. */
function importUser(sql: AuthStatements, user: NewUser, now: number): boolean {
  const { userId, email, profile, passwordHash } = user;
  const values = { userId, email: email.address, emailKey: email.key, state: "active", now };
  removePending(sql, sql.userById.get({ userId }), now);
  removePending(sql, sql.userByEmail.get({ emailKey: email.key }), now);
  if (!sql.insertUserIfNew.run(values).changes) return false;
  writeProfile(sql, userId, profile, now);
  if (passwordHash !== "") sql.rehashPassword.run({ userId, passwordHash });
  recordEvent(sql, { type: "imported", userId, time: now });
  return true;
}

/** A user who never finished a registration gives way to an imported one. */
function removePending(sql: AuthStatements, row: Row | undefined, now: number): void {
  if (row?.["state"] !== "pending") return;
  const userId = text(row, "id");
  sql.deleteUser.run({ userId });
  recordEvent(sql, { type: "deleted", userId, time: now });
}

function maybeUser(sql: AuthStatements, row: Row | undefined): User | undefined {
  return row === undefined ? undefined : withAccounts(sql, row);
}
