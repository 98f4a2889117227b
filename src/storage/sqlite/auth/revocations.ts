import type { RevocationSteps } from "../../../auth/repository.ts";
import { required, toRevocation } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";

export function revocationSteps({ sql, step }: AuthTransactions): RevocationSteps {
  return {
    listRevocations: ({ after, limit }) =>
      step(() => sql.listRevocations.all({ after, limit }).map(toRevocation)),

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
  sql.insertRevocation.run({ userId, sessionId, now });
}
