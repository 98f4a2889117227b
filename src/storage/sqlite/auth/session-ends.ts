import type { AuditEventType } from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { recordRevocation } from "./revocations.ts";
import { type Row, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";

/** Why a session is over before its time. */
type SessionEnd = Extract<AuditEventType, "signed_out" | "session_revoked">;

/**
 * Ends the live session of a row as part of the transaction under way, with an event and a
 * revocation.
 */
export function endSession(sql: AuthStatements, row: Row, type: SessionEnd, now: number): void {
  const sessionId = text(row, "id");
  sql.deleteSession.run({ id: sessionId });
  const event = { userId: text(row, "user_id"), provider: text(row, "provider"), sessionId };
  recordEvent(sql, { ...event, type, time: now });
  recordRevocation(sql, event, now);
}

/** Ends every live session of a user but one, with an event for each. */
export function revokeSessionsOfUser(
  sql: AuthStatements,
  userId: string,
  now: number,
  keptSessionId = "",
): void {
  for (const row of sql.liveSessionsOfUser.all({ userId, now })) {
    if (text(row, "id") !== keptSessionId) endSession(sql, row, "session_revoked", now);
  }
}

/** Ends every session of a user who is shut out. The event of that tells of them all. */
export function closeSessionsOfUser(sql: AuthStatements, userId: string, now: number): void {
  sql.closeSessionsOfUser.run({ userId, now });
  recordRevocation(sql, { userId }, now);
}
