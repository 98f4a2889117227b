import type { AuthStatements } from "./statements.ts";

/** What the steps of each topic run on. */
export interface AuthTransactions {
  readonly sql: AuthStatements;
  /** Runs `work` in one durable transaction, as `SqliteDatabase.transaction` does. */
  step<T>(work: () => T): Promise<T>;
  /** As `step`, for what adds to the data. Rejects with STORAGE_FULL while the disk is full. */
  add<T>(work: () => T): Promise<T>;
  /**
   * As `step`, for sign-ins and what is written of them. They go on while the disk is full, and
   * reject with STORAGE_FULL when they have used up most of what was kept for that.
   */
  signIn<T>(work: () => T): Promise<T>;
  /** As `step`, for what removes personal data: no trace is left of it a second later. */
  erase<T>(work: () => T): Promise<T>;
  /** Runs `work`, which only reads, as `SqliteDatabase.read` does. */
  look<T>(work: () => T): T;
}
