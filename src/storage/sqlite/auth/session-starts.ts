import type { NewSession, Session } from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { required, toSession } from "./rows.ts";
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
  const { userId, session, account, now } = request;
  const { provider = null, socialId = null } = account ?? {};
  sql.sweepSessions.run({ now, limit: SWEPT_WITH_INSERT });
  const row = required(sql.insertSession.get({ ...session, userId, provider, socialId, now }));
  const opened = toSession(row);
  const { id: sessionId, device, address } = opened;
  const origin = { provider: opened.provider, device, address };
  recordEvent(sql, { type: "signed_in", userId, sessionId, ...origin, time: now });
  return opened;
}
