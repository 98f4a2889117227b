import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createAuthRepository } from "../../../src/storage/sqlite/auth-repository.ts";
import { openDatabase, type SqliteDatabase } from "../../../src/storage/sqlite/database.ts";
import type { StorageUnderTest } from "../../conformance/auth/cases.ts";
import { authSuite } from "../../conformance/auth/suite.ts";

function sqliteIn(folder: string): StorageUnderTest {
  let db: SqliteDatabase | undefined;
  return {
    name: "sqlite",
    async open() {
      db = openDatabase(folder);
      return createAuthRepository(db);
    },
    async close() {
      db?.close();
      db = undefined;
    },
  };
}

for (const [topic, cases] of Object.entries(authSuite)) {
  describe(`AuthRepository on SQLite, ${topic}`, () => {
    for (const [words, run] of Object.entries(cases)) {
      test(words, async (t) => {
        const folder = mkdtempSync(join(tmpdir(), "usher-auth-"));
        const storage = sqliteIn(folder);
        t.after(async () => {
          await storage.close();
          rmSync(folder, { recursive: true });
        });
        await run(storage);
      });
    }
  });
}
