import type { RevocationSteps } from "../../../auth/repository.ts";
import { required, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import { SWEPT_WITH_INSERT } from "./sweeping.ts";
import type { AuthTransactions } from "./transactions.ts";

/** Longer than any access token lives, so that a watcher who was away misses nothing. */
export const REVOCATION_KEPT_MS = 60 * 60_000;

export function revocationSteps({ sql, step }: AuthTransactions): RevocationSteps {
  return {
    listRevocations: ({ after, limit }) =>
      step(() =>
        sql.listRevocations.all({ after, limit }).map((row) => ({
          sequence: Number(row["sequence"]),
          time: Number(row["time"]),
          userId: text(row, "user_id"),
          sessionId: text(row, "session_id"),
        })),
      ),

    lastRevocation: () => step(() => Number(required(sql.lastRevocation.get())["sequence"])),
  };
}

/**
 * Keeps a revocation as part of the transaction under way: of one session, or without an id of
 * all that a user has.
 */
export function recordRevocation(
  sql: AuthStatements,
  { userId, sessionId = "" }: { readonly userId: string; readonly sessionId?: string },
  now: number,
): void {
  sql.sweepRevocations.run({ before: now - REVOCATION_KEPT_MS, limit: SWEPT_WITH_INSERT });
  sql.insertRevocation.run({ userId, sessionId, now });
}
