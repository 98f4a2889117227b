import type {
  AttemptReservation,
  AttemptSteps,
  ReservationOutcome,
} from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import type { Row } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";

export function attemptSteps({ sql, step }: AuthTransactions): AttemptSteps {
  return {
    reserveAttempt: (attempt) => step(() => reserveAttempt(sql, attempt)),

    failAttempt: (id, event) =>
      step(() => {
        sql.failAttempt.run({ id });
        recordEvent(sql, event);
      }),

    releaseAttempt: (id) =>
      step(() => {
        sql.releaseAttempt.run({ id });
      }),
  };
}

function reserveAttempt(sql: AuthStatements, attempt: AttemptReservation): ReservationOutcome {
  const { id, account, address, now, pendingUntil, windowMs, accountLimit, addressLimit } = attempt;
  const since = now - windowMs;
  const locks = [sql.lockOfAccount.get({ account, since, now, limit: accountLimit })];
  const counts = [{ row: sql.countOfAccount.get({ account, since }), limit: accountLimit }];
  if (address !== "") {
    locks.push(sql.lockOfAddress.get({ address, since, now, limit: addressLimit }));
    counts.push({ row: sql.countOfAddress.get({ address, since }), limit: addressLimit });
  }
  const lockedFor = locks.map((row) => (row === undefined ? 0 : timeOf(row) + windowMs - now));
  const retryAfterMs = Math.max(...lockedFor);
  if (retryAfterMs > 0) return { outcome: "locked", retryAfterMs };
  if (counts.some(({ row, limit }) => Number(row?.["count"]) >= limit)) return { outcome: "busy" };
  sql.insertAttempt.run({ id, account, address, now, pendingUntil });
  return { outcome: "reserved" };
}

function timeOf(row: Row): number {
  return Number(row["time"]);
}
