import type { DatabaseSync } from "node:sqlite";
import { StorageOpenError } from "../open-error.ts";
import { accountsSchema, authSchema, eventCountsSchema, tokensSchema } from "./auth/schema.ts";
import { keptTimesSchema, queueSchema } from "./queue/schema.ts";

/**
 * The schema, by steps that are only ever added to: step N runs once, when a database that has
 * N - 1 of them is opened.
 */
const migrations: readonly string[] = [
  authSchema,
  queueSchema,
  accountsSchema,
  tokensSchema,
  keptTimesSchema,
  eventCountsSchema,
];

/** Brings a database to the newest schema. Throws StorageOpenError if a newer Usher wrote it. */
export function migrate(handle: DatabaseSync): void {
  handle.exec("CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY) STRICT");
  const row = handle.prepare("SELECT max(version) AS version FROM schema_migrations").get();
  const applied = Number(row?.["version"] ?? 0);
  if (applied > migrations.length) {
    throw new StorageOpenError(
      `the database has schema ${applied}, this Usher knows ${migrations.length}: run a newer Usher`,
    );
  }
  const record = handle.prepare("INSERT INTO schema_migrations (version) VALUES (?)");
  for (const [index, migration] of migrations.entries()) {
    const version = index + 1;
    if (version <= applied) continue;
    handle.exec("BEGIN IMMEDIATE");
    handle.exec(migration);
    record.run(version);
    handle.exec("COMMIT");
  }
}
