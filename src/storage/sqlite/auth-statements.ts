import type { DatabaseSync, StatementSync } from "node:sqlite";
import { attemptSql } from "./auth-attempt-sql.ts";
import { auditSql } from "./auth-audit-sql.ts";
import { mailSql } from "./auth-mail-sql.ts";
import { passwordSql } from "./auth-password-sql.ts";
import { revocationSql } from "./auth-revocation-sql.ts";
import { sessionSql } from "./auth-session-sql.ts";
import { signingKeySql } from "./auth-signing-key-sql.ts";
import { socialSql } from "./auth-social-sql.ts";
import { sweepingSql } from "./auth-sweeping-sql.ts";
import { userListSql } from "./auth-user-list-sql.ts";
import { userSql } from "./auth-user-sql.ts";

const statements = {
  ...userSql,
  ...userListSql,
  ...passwordSql,
  ...attemptSql,
  ...sessionSql,
  ...socialSql,
  ...revocationSql,
  ...signingKeySql,
  ...auditSql,
  ...mailSql,
  ...sweepingSql,
};

export type AuthStatements = Readonly<Record<keyof typeof statements, StatementSync>>;

/**
 * Statements on the way of every check of a session. Their rows are arrays: SQLite's own reading
 * takes less time than the making of objects with a name for every column.
 */
const inArrays = ["checkedSession", "accountsOfUser"] as const;

/** Prepares every statement of AuthService, each by its name. */
export function prepareAuthStatements(handle: DatabaseSync): AuthStatements {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, handle.prepare(sql)]);
  const byName = Object.fromEntries(prepared) as AuthStatements;
  for (const name of inArrays) byName[name].setReturnArrays(true);
  return byName;
}
