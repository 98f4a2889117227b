import type { TestContext } from "node:test";
import { type Log, silentLog } from "../../../src/logging/log.ts";
import { openDatabase, type SqliteDatabase } from "../../../src/storage/sqlite/database.ts";
import { createQueueStore } from "../../../src/storage/sqlite/queue/store.ts";
import { startUpkeep } from "../../../src/storage/sqlite/upkeep.ts";
import { RunningEngine } from "../../queue/running-engine.ts";
import { temporaryFolder } from "../../support/process.ts";

/** An engine whose database is kept up by the same clock. */
export interface KeptUpEngine {
  readonly database: SqliteDatabase;
  readonly running: RunningEngine;
  /** What the upkeep has said, in order. */
  readonly said: readonly string[];
  /** A line of SQL without an answer. */
  sql(statement: string): void;
  pragma(name: string): number;
}

export async function keptUpEngine(
  t: TestContext,
  folder = temporaryFolder(t),
): Promise<KeptUpEngine> {
  const database = openDatabase(folder);
  const running = new RunningEngine(
    {},
    {
      open: async () => createQueueStore(database),
      close: async () => {},
      crash: async () => {},
      remove: async () => {},
    },
  );
  const said: string[] = [];
  const say = (_: object, message: string): void => void said.push(message);
  const log: Log = { ...silentLog, info: say, warn: say };
  const upkeep = startUpkeep({ database, clock: running.clock, log });
  t.after(async () => {
    upkeep.close();
    await running.remove();
    database.close();
  });
  await running.start();
  return {
    database,
    running,
    said,
    sql: (statement) => database.handle.exec(statement),
    pragma(name) {
      const row = database.handle.prepare(`PRAGMA ${name}`).get() ?? {};
      return Number(Object.values(row)[0]);
    },
  };
}
