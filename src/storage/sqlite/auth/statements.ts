import type { DatabaseSync, StatementSync } from "node:sqlite";
import { attemptSql } from "./sql/attempts.ts";
import { auditSql } from "./sql/audit.ts";
import { mailSql } from "./sql/mail.ts";
import { passwordSql } from "./sql/passwords.ts";
import { revocationSql } from "./sql/revocations.ts";
import { sessionSql } from "./sql/sessions.ts";
import { signingKeySql } from "./sql/signing-keys.ts";
import { socialSql } from "./sql/social.ts";
import { sweepingSql } from "./sql/sweeping.ts";
import { userListSql } from "./sql/user-lists.ts";
import { userSql } from "./sql/users.ts";

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
 * Statements that a check of a session runs. Their rows are arrays: objects with a name for every
 * column take longer to make than SQLite takes to read them.
 */
const inArrays = ["checkedSession", "accountsOfUser"] as const;

/** Prepares every statement of AuthService, each by its name. */
export function prepareAuthStatements(handle: DatabaseSync): AuthStatements {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, handle.prepare(sql)]);
  const byName = Object.fromEntries(prepared) as AuthStatements;
  for (const name of inArrays) byName[name].setReturnArrays(true);
  return byName;
}
