import type { StatementSync } from "node:sqlite";
import type { AuthCounts } from "../../moved-records.ts";
import type { SqliteDatabase } from "../database.ts";

const tables: Readonly<Record<keyof AuthCounts, string>> = {
  users: "users",
  "social accounts": "social_accounts",
  "activation codes": "activation_codes",
  "reset tokens": "reset_tokens",
  sessions: "sessions",
  "sign-ins under way": "social_states",
  "password attempts": "password_attempts",
  "mails on their way": "mail_outbox",
  "audit events": "audit_events",
  revocations: "revocations",
  "signing keys": "signing_keys",
};

/** How many records there are. */
export function countAuth({ handle, read }: SqliteDatabase): AuthCounts {
  return read(() => {
    const counts = Object.entries(tables).map(([name, table]) => [
      name,
      count(handle.prepare(countOf(table))),
    ]);
    return Object.fromEntries(counts) as AuthCounts;
  });
}

/** How many leases a clean stop has kept. They are of no use in another storage. */
export function countKeptLeases({ handle, read }: SqliteDatabase): number {
  return read(() => count(handle.prepare(countOf("kept_leases"))));
}

function countOf(table: string): string {
  return `SELECT count(*) AS count FROM ${table}`;
}

function count(statement: StatementSync): number {
  return Number(statement.get()?.["count"]);
}
