import type { AuthStatements } from "./statements.ts";

/** What the steps of each topic run on. */
export interface AuthTransactions {
  readonly sql: AuthStatements;
  /** Runs `work` in one durable transaction, as `SqliteDatabase.transaction` does. */
  step<T>(work: () => T): Promise<T>;
  /** Runs `work`, which only reads, as `SqliteDatabase.read` does. */
  look<T>(work: () => T): T;
}
