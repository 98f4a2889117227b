import { isDeepStrictEqual } from "node:util";
import type {
  NewUser,
  Profile,
  ProfileChange,
  ProfileChangeOutcome,
  User,
  UserKey,
  UserRequest,
  UserSteps,
} from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { recordRevocation } from "./revocations.ts";
import { type Columns, type Row, required, text, toSocialAccount, toUser } from "./rows.ts";
import { closeSessionsOfUser } from "./session-ends.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";
import { listUsers } from "./user-lists.ts";

export function userSteps({ sql, step }: AuthTransactions): UserSteps {
  return {
    findUser: (by) => step(() => maybeUser(sql, userRow(sql, by))),

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
      step(() => {
        if (!sql.deleteUser.run({ userId }).changes) return false;
        recordEvent(sql, { type: "deleted", userId, time: now });
        recordRevocation(sql, { userId }, now);
        return true;
      }),

    importUsers: ({ users, now }) => step(() => users.map((user) => importUser(sql, user, now))),
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
  const { userId, now, maxBytes } = change;
  const row = sql.userById.get({ userId });
  if (row === undefined) return { outcome: "unknown" };
  if (row["state"] !== "active") return { outcome: "user_not_active" };
  const user = withAccounts(sql, row);
  const profile = { ...user.profile, ...change.profile };
  if (isDeepStrictEqual(profile, user.profile)) return { outcome: "updated", user };
  if (bytesOf(profile) > maxBytes) return { outcome: "too_large" };
  setProfile(sql, userId, profile, now);
  recordEvent(sql, { type: "profile_updated", userId, time: now });
  return { outcome: "updated", user: userOf(sql, userId) };
}

function bytesOf({ attributes, ...texts }: Profile): number {
  const parts = [...Object.values(texts), ...Object.entries(attributes).flat()];
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}

function setProfile(sql: AuthStatements, userId: string, profile: Profile, now: number): void {
  const attributes = JSON.stringify(profile.attributes);
  sql.setProfile.run({ userId, ...profile, attributes, now });
}

/** Returns whether the user was made. */
function importUser(sql: AuthStatements, user: NewUser, now: number): boolean {
  const { userId, email, profile, passwordHash } = user;
  const values = { userId, email: email.address, emailKey: email.key, state: "active", now };
  if (!sql.insertUserIfNew.run(values).changes) return false;
  setProfile(sql, userId, profile, now);
  if (passwordHash !== "") sql.rehashPassword.run({ userId, passwordHash });
  recordEvent(sql, { type: "imported", userId, time: now });
  return true;
}

export function userRow(sql: AuthStatements, by: UserKey): Row | undefined {
  return "userId" in by
    ? sql.userById.get({ userId: by.userId })
    : sql.userByEmail.get({ emailKey: by.emailKey });
}

/** A user that is known to be there. */
export function userOf(sql: AuthStatements, userId: string): User {
  return withAccounts(sql, required(sql.userById.get({ userId })));
}

function maybeUser(sql: AuthStatements, row: Row | undefined): User | undefined {
  return row === undefined ? undefined : withAccounts(sql, row);
}

export function withAccounts(sql: AuthStatements, row: Row): User {
  return toUser(row, accountsOf(sql, text(row, "id")).map(toSocialAccount));
}

/** Rows of `accountsOfUser`. */
export function accountsOf(sql: AuthStatements, userId: string): readonly Columns[] {
  return sql.accountsOfUser.all({ userId }) as unknown as Columns[];
}
