import { setTimeout as pause } from "node:timers/promises";
import {
  type ClientSession,
  MongoError,
  MongoNetworkError,
  MongoServerSelectionError,
} from "mongodb";
import { isSystemError } from "../database.ts";

/** It cannot be known whether a transaction was kept: no answer came to its commit. */
export class CommitUnknown extends Error {
  constructor(cause: unknown) {
    super("no answer came to a commit", { cause });
    this.name = "CommitUnknown";
  }
}

const OPTIONS = {
  readConcern: { level: "snapshot" },
  // A commit that no majority confirms in that time is asked for again.
  writeConcern: { w: "majority", journal: true, wtimeoutMS: 10_000 },
} as const;

const TRANSIENT = "TransientTransactionError";

/**
 * Codes of an operation that was interrupted, ran out of time or met a server that is no primary
 * any more. Such errors pass, though some of them lack the driver's label.
 */
const PASSING_CODES = new Set([
  24, 50, 89, 91, 112, 189, 246, 251, 262, 290, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** Whether the same may go well a moment later. */
export function isPassing(error: unknown): boolean {
  if (isSystemError(error)) return true;
  return (
    error instanceof MongoError &&
    (error.hasErrorLabel(TRANSIENT) ||
      error instanceof MongoNetworkError ||
      error instanceof MongoServerSelectionError ||
      PASSING_CODES.has(Number(error.code)))
  );
}

/**
 * Runs `work` in a transaction of the session until it is committed, again as a whole after every
 * passing failure, up to the deadline (of `performance.now()`). Rejects with CommitUnknown if it
 * cannot be known whether it was kept, and with any other error if nothing was.
 */
export async function runTransaction(
  session: ClientSession,
  work: () => Promise<void>,
  deadline: number,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    session.startTransaction(OPTIONS);
    try {
      await work();
    } catch (error) {
      // If the abort does not arrive, the session's next transaction ends this one.
      await session.abortTransaction();
      if (!isPassing(error) || performance.now() >= deadline) throw error;
      await pause(backoff(attempt));
      continue;
    }
    const failure = await commit(session, deadline);
    if (failure === undefined) return;
    if (performance.now() >= deadline) throw failure.error;
    await pause(backoff(attempt));
  }
}

/** Resolves with nothing when committed, and with the error when it is certain that it was not. */
async function commit(
  session: ClientSession,
  deadline: number,
): Promise<{ error: unknown } | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      await session.commitTransaction();
      return undefined;
    } catch (error) {
      // The server knows of no such transaction: it was aborted, and no commit can come through.
      if (error instanceof MongoError && error.hasErrorLabel(TRANSIENT)) return { error };
      // After any other error the commit may have been taken. Asked again, the server tells.
      if (performance.now() >= deadline) throw new CommitUnknown(error);
      await pause(backoff(attempt));
    }
  }
}

function backoff(attempt: number): number {
  return Math.random() * Math.min(500, 5 * 2 ** attempt);
}
