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

/** Prepares every statement of AuthService, each by its name. */
export function prepareAuthStatements(handle: DatabaseSync): AuthStatements {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, handle.prepare(sql)]);
  return Object.fromEntries(prepared) as AuthStatements;
}
