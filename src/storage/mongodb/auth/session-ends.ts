import type { AuditEventType } from "../../../auth/repository.ts";
import type { SessionDocument } from "./schema.ts";
import type { AuthReader, AuthTransaction } from "./transactions.ts";

/** Why a session is over before its time. */
type SessionEnd = Extract<AuditEventType, "signed_out" | "session_revoked">;

/** The oldest first. */
export function liveSessionsOfUser(
  { in: { sessions }, options }: AuthReader,
  userId: string,
  now: number,
): Promise<SessionDocument[]> {
  const sorted = { ...options, sort: { createTime: 1, order: 1 } } as const;
  return sessions.find({ userId, expireTime: { $gt: now }, endTime: null }, sorted).toArray();
}

/**
 * Ends live sessions as part of the transaction under way, with an event and a revocation of each.
 */
export async function endSessions(
  { in: { sessions }, options, events, revocations }: AuthTransaction,
  ended: readonly SessionDocument[],
  type: SessionEnd,
  now: number,
): Promise<void> {
  if (ended.length === 0) return;
  await sessions.deleteMany({ _id: { $in: ended.map(({ _id }) => _id) } }, options);
  for (const { _id: sessionId, userId, provider } of ended) {
    events.push({ userId, provider, sessionId, type, time: now });
    revocations.push({ userId, sessionId, time: now });
  }
}

/** Ends every live session of a user but one, with an event for each. */
export async function revokeSessionsOfUser(
  transaction: AuthTransaction,
  userId: string,
  now: number,
  keptSessionId = "",
): Promise<void> {
  const live = await liveSessionsOfUser(transaction, userId, now);
  const ended = live.filter(({ _id }) => _id !== keptSessionId);
  await endSessions(transaction, ended, "session_revoked", now);
}

/** Ends every session of a user who is shut out. The event of that tells of them all. */
export async function closeSessionsOfUser(
  { in: { sessions }, options, revocations }: AuthTransaction,
  userId: string,
  now: number,
): Promise<void> {
  await sessions.updateMany({ userId, endTime: null }, { $set: { endTime: now } }, options);
  revocations.push({ userId, sessionId: "", time: now });
}
