import type { SweepSteps } from "../../../auth/repository.ts";
import type { AuthTransactions } from "./transactions.ts";

/** How many rows that are over go with each insert, so that none pile up between sweeps. */
export const SWEPT_WITH_INSERT = 8;

export function sweepSteps({ sql, step }: AuthTransactions): SweepSteps {
  return {
    sweep: ({ now, attemptsBefore, eventsBefore, revocationsBefore, limit }) =>
      step(() => {
        const removed = [
          sql.sweepStates.run({ now, limit }),
          sql.sweepSessions.run({ now, limit }),
          sql.sweepCodes.run({ now, limit }),
          sql.sweepResetTokens.run({ now, limit }),
          sql.sweepAttempts.run({ before: attemptsBefore, limit }),
          sql.sweepEvents.run({ before: eventsBefore, limit }),
          sql.sweepRevocations.run({ before: revocationsBefore, limit }),
        ];
        return Math.max(...removed.map(({ changes }) => Number(changes)));
      }),
  };
}
