import type {
  AttemptReservation,
  AttemptSteps,
  ReservationOutcome,
} from "../../../auth/repository.ts";
import {
  type AttemptLimit,
  attemptLimits,
  attemptRefusal,
  type CountedTries,
  countedTimes,
} from "../../../auth/rules/attempt-limits.ts";
import { recordEvent } from "./audit.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";

export function attemptSteps({ sql, step, signIn }: AuthTransactions): AttemptSteps {
  return {
    reserveAttempt: (attempt) => signIn(() => reserveAttempt(sql, attempt)),

    failAttempt: (id, event) =>
      step(() => {
        sql.failAttempt.run({ id });
        if (event !== undefined) recordEvent(sql, event);
      }),

    releaseAttempt: (id) =>
      step(() => {
        sql.releaseAttempt.run({ id });
      }),
  };
}

/**
 * Ends the tries that a crash cut off. Call it when the database is opened: no other process has it,
 * so no try is under way.
 */
export function endCutOffAttempts(sql: AuthStatements): void {
  sql.dropCutOffAttempts.run();
  sql.failCutOffAttempts.run();
}

function reserveAttempt(sql: AuthStatements, attempt: AttemptReservation): ReservationOutcome {
  const tries = attemptLimits(attempt).map((limit) => triesOf(sql, limit, attempt));
  const refused = attemptRefusal(attempt, tries);
  if (refused !== undefined) return refused;
  const { id, account, address, now, pendingUntil = null } = attempt;
  sql.insertAttempt.run({ id, account, address, now, pendingUntil });
  return { outcome: "reserved" };
}

function triesOf(
  sql: AuthStatements,
  { by, limit }: AttemptLimit,
  attempt: AttemptReservation,
): CountedTries {
  const { now } = attempt;
  const counted = countedTimes(attempt);
  const lock =
    "account" in by
      ? sql.lockOfAccount.get({ ...by, ...counted, now, limit })
      : sql.lockOfAddress.get({ ...by, ...counted, now, limit });
  const tries =
    "account" in by
      ? sql.countOfAccount.get({ ...by, ...counted })
      : sql.countOfAddress.get({ ...by, ...counted });
  return {
    limit,
    count: Number(tries?.["count"]),
    lockedFrom: lock && Number(lock["time"]),
  };
}
