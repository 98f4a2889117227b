import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { AuthRepository } from "../../src/auth/repository.ts";
import { createAuthRepository as onMongodb } from "../../src/storage/mongodb/auth/repository.ts";
import { ensureAuthCollections } from "../../src/storage/mongodb/auth/schema.ts";
import {
  type MongoDatabase,
  openDatabase as openMongodb,
} from "../../src/storage/mongodb/database.ts";
import { createAuthRepository as onSqlite } from "../../src/storage/sqlite/auth/repository.ts";
import { openDatabase, type SqliteDatabase } from "../../src/storage/sqlite/database.ts";
import { testDatabase } from "../support/mongodb.ts";
import { currentStorage } from "../support/on-each-storage.ts";
import { temporaryFolder } from "../support/process.ts";

/** A repository of the test's own, on the storage that the test runs on. */
export interface Repositories {
  /** Opens it, with all that was kept before. */
  open(): Promise<AuthRepository>;
  close(): Promise<void>;
}

/** The folder is where SQLite's files go, if it is that. */
export async function repositoriesFor(t: TestContext, folder: string): Promise<Repositories> {
  return currentStorage() === "mongodb" ? inMongodb(await testDatabase(t)) : inSqlite(folder);
}

/** One repository, opened; it is closed when the test ends. */
export async function openRepository(t: TestContext): Promise<AuthRepository> {
  const repositories = await repositoriesFor(t, temporaryFolder(t));
  t.after(() => repositories.close());
  return repositories.open();
}

function inSqlite(folder: string): Repositories {
  let database: SqliteDatabase | undefined;
  return {
    async open() {
      database = openDatabase(folder);
      return onSqlite(database);
    },
    async close() {
      database?.close();
      database = undefined;
    },
  };
}

function inMongodb(url: string): Repositories {
  let database: MongoDatabase | undefined;
  return {
    async open() {
      database = await openMongodb(url);
      await ensureAuthCollections(database.db);
      return onMongodb(database, randomUUID());
    },
    async close() {
      await database?.close();
      database = undefined;
    },
  };
}
