import type {
  AuditEvent,
  AuditQuery,
  AuditSteps,
  NewAuditEvent,
} from "../../../auth/repository.ts";
import { wholeEvent } from "../../../auth/rules/audit-events.ts";
import { toEvent } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";

export function auditSteps({ sql, step, signIn }: AuthTransactions): AuditSteps {
  return {
    recordEvent: (event) => signIn(() => recordEvent(sql, event)),
    listEvents: (query) => step(() => listEvents(sql, query)),
  };
}

/** Keeps an event as part of the transaction under way. */
export function recordEvent(sql: AuthStatements, event: NewAuditEvent): void {
  sql.insertEvent.run({ ...wholeEvent(event) });
}

function listEvents(sql: AuthStatements, query: AuditQuery): AuditEvent[] {
  const { limit, after, userId, startTime, endTime } = query;
  // Ids begin at 1, so that none of the end time itself comes before (end time, 0).
  let before = { time: endTime ?? Number.MAX_SAFE_INTEGER, id: 0 };
  if (after !== undefined && after.time < before.time) {
    before = { time: after.time, id: Number(after.id) };
  }
  const range = {
    beforeTime: before.time,
    beforeId: before.id,
    startTime: startTime ?? 0,
    limit,
  };
  const rows =
    userId === undefined
      ? sql.listEvents.all(range)
      : sql.listEventsOfUser.all({ ...range, userId });
  return rows.map(toEvent);
}
