import type { NewSession, Session } from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { required, toSession } from "./rows.ts";
import { endSession } from "./session-ends.ts";
import type { AuthStatements } from "./statements.ts";
import { SWEPT_WITH_INSERT } from "./sweeping.ts";

/**
 * Opens a session as part of the transaction under way. `account` is what the session was opened
 * with.
 */
export function openSession(
  sql: AuthStatements,
  request: {
    readonly userId: string;
    readonly session: NewSession;
    readonly account?: { readonly provider: string; readonly socialId: string };
    readonly now: number;
  },
): Session {
  const { userId, account, now } = request;
  const { mostOfUser, ...session } = request.session;
  const { provider = null, socialId = null } = account ?? {};
  sql.sweepSessions.run({ now, limit: SWEPT_WITH_INSERT });
  const live = sql.liveSessionsOfUser.all({ userId, now });
  for (const oldest of live.slice(0, Math.max(0, live.length - mostOfUser + 1))) {
    endSession(sql, oldest, "session_revoked", now);
  }
  const row = required(sql.insertSession.get({ ...session, userId, provider, socialId, now }));
  const opened = toSession(row);
  const { id: sessionId, device, address } = opened;
  const origin = { provider: opened.provider, device, address };
  recordEvent(sql, { type: "signed_in", userId, sessionId, ...origin, time: now });
  return opened;
}
