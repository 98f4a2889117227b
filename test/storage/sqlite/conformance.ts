import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openDatabase, type SqliteDatabase } from "../../../src/storage/sqlite/database.ts";
import type { StorageUnderTest, Suite } from "../../conformance/cases.ts";

/** Runs every case of a port's suite, each on a fresh database in a folder of its own. */
export function runOnSqlite<Port>(
  port: string,
  suite: Suite<Port>,
  create: (database: SqliteDatabase) => Port,
): void {
  for (const [topic, cases] of Object.entries(suite)) {
    describe(`${port} on SQLite, ${topic}`, () => {
      for (const [words, run] of Object.entries(cases)) {
        test(words, async (t) => {
          const folder = mkdtempSync(join(tmpdir(), "usher-conformance-"));
          const storage = sqliteIn(folder, create);
          t.after(async () => {
            await storage.close();
            rmSync(folder, { recursive: true });
          });
          await run(storage);
        });
      }
    });
  }
}

function sqliteIn<Port>(
  folder: string,
  create: (database: SqliteDatabase) => Port,
): StorageUnderTest<Port> {
  let database: SqliteDatabase | undefined;
  return {
    name: "sqlite",
    async open() {
      database = openDatabase(folder);
      return create(database);
    },
    async close() {
      database?.close();
      database = undefined;
    },
  };
}
