import type { DatabaseSync, StatementSync } from "node:sqlite";
import { auditSql } from "./auth-audit-sql.ts";
import { sessionSql } from "./auth-session-sql.ts";
import { socialSql } from "./auth-social-sql.ts";
import { userSql } from "./auth-user-sql.ts";

const statements = { ...userSql, ...sessionSql, ...socialSql, ...auditSql };

export type AuthStatements = Readonly<Record<keyof typeof statements, StatementSync>>;

/** Prepares every statement of AuthService, each by its name. */
export function prepareAuthStatements(handle: DatabaseSync): AuthStatements {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, handle.prepare(sql)]);
  return Object.fromEntries(prepared) as AuthStatements;
}
