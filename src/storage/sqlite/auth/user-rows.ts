import type { User, UserKey } from "../../../auth/repository.ts";
import { type Columns, type Row, required, text, toSocialAccount, toUser } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";

export function findUser(sql: AuthStatements, by: UserKey): Row | undefined {
  return "userId" in by
    ? sql.userById.get({ userId: by.userId })
    : sql.userByEmail.get({ emailKey: by.emailKey });
}

/** A user that is known to be there. */
export function userOf(sql: AuthStatements, userId: string): User {
  return withAccounts(sql, required(sql.userById.get({ userId })));
}

export function withAccounts(sql: AuthStatements, row: Row): User {
  return toUser(row, accountsOf(sql, text(row, "id")).map(toSocialAccount));
}

/** Rows of `accountsOfUser`. */
export function accountsOf(sql: AuthStatements, userId: string): readonly Columns[] {
  return sql.accountsOfUser.all({ userId }) as unknown as Columns[];
}

export function writeProfile(
  sql: AuthStatements,
  userId: string,
  profile: User["profile"],
  now: number,
): void {
  const attributes = JSON.stringify(profile.attributes);
  sql.setProfile.run({ userId, ...profile, attributes, now });
}
