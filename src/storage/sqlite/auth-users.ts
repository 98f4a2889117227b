import type { User, UserSteps } from "../../auth/repository.ts";
import { recordEvent } from "./auth-audit.ts";
import { type Row, required, text, toSocialAccount, toUser } from "./auth-rows.ts";
import { closeSessionsOfUser } from "./auth-session-ends.ts";
import type { AuthStatements } from "./auth-statements.ts";
import type { AuthTransactions } from "./auth-transactions.ts";

export function userSteps({ sql, step }: AuthTransactions): UserSteps {
  return {
    findUser: (by) =>
      step(() => {
        const row =
          "userId" in by
            ? sql.userById.get({ userId: by.userId })
            : sql.userByEmail.get({ emailKey: by.emailKey });
        return row === undefined ? undefined : withAccounts(sql, row);
      }),

    deactivateUser: ({ userId, now }) =>
      step(() => {
        if (sql.deactivateUser.run({ userId, now }).changes) {
          sql.voidCode.run({ userId });
          closeSessionsOfUser(sql, userId, now);
          recordEvent(sql, { type: "deactivated", userId, time: now });
        }
        const row = sql.userById.get({ userId });
        return row === undefined ? undefined : withAccounts(sql, row);
      }),
  };
}

/** A user that is known to be there. */
export function userOf(sql: AuthStatements, userId: string): User {
  return withAccounts(sql, required(sql.userById.get({ userId })));
}

function withAccounts(sql: AuthStatements, row: Row): User {
  const accounts = sql.accountsOfUser.all({ userId: text(row, "id") });
  return toUser(row, accounts.map(toSocialAccount));
}
