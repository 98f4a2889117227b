import type {
  DueAccount,
  NewSession,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SessionSteps,
} from "../../auth/repository.ts";
import { recordEvent } from "./auth-audit.ts";
import { type Row, required, text, toSession } from "./auth-rows.ts";
import { endSession } from "./auth-session-ends.ts";
import type { AuthStatements } from "./auth-statements.ts";
import { SWEPT_WITH_INSERT } from "./auth-sweeping.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { userOf } from "./auth-users.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps({ sql, step }: AuthTransactions): SessionSteps {
  return {
    checkSession: (check) => step(() => checkSession(sql, check)),

    endSession: ({ tokenHash, now }) =>
      step(() => {
        const row = sql.sessionByToken.get({ tokenHash, now });
        if (row === undefined || row["end_time"] !== null) return false;
        endSession(sql, row, "signed_out", now);
        return true;
      }),

    listSessions: ({ userId, now }) =>
      step(() => {
        if (sql.userById.get({ userId }) === undefined) return undefined;
        return sql.liveSessionsOfUser.all({ userId, now }).map(toSession).reverse();
      }),

    revokeSessions: ({ userId, sessionIds, now }) =>
      step(() => {
        if (sql.userById.get({ userId }) === undefined) return undefined;
        const live = sql.liveSessionsOfUser.all({ userId, now });
        const wanted = new Set(sessionIds);
        const chosen =
          sessionIds === undefined ? live : live.filter((row) => wanted.has(text(row, "id")));
        for (const row of chosen) endSession(sql, row, "session_revoked", now);
        return chosen.length;
      }),
  };
}

/** Opens a session as part of the transaction under way; `account` is what it was opened with. */
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

function checkSession(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const { tokenHash, now, renewal, ask } = check;
  const row = sql.sessionByToken.get({ tokenHash, now });
  if (row === undefined) return { outcome: "unknown" };
  const user = userOf(sql, text(row, "user_id"));
  if (user.state !== "active") return { outcome: "user_not_active" };
  if (row["end_time"] !== null) return { outcome: "unknown" };

  const id = text(row, "id");
  const session = toSession(row);
  const byOldToken = row["by_old_token"] === 1;
  const dueAccount = ask && takeDueAccount(sql, row, ask, now);
  if (!byOldToken && renewal && session.expireTime - now <= renewal.withinMs) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = renewal;
    const values = { id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    const renewed = toSession(required(sql.renewSession.get(values)));
    return { outcome: "live", user, session: renewed, successorSalt: salt, dueAccount };
  }
  if (now - session.lastSeenTime >= SEEN_STEP_MS) sql.seeSession.run({ id, now });
  const successorSalt = byOldToken ? (row["successor_salt"] as Uint8Array) : undefined;
  const seen = { ...session, lastSeenTime: now };
  return { outcome: "live", user, session: seen, successorSalt, dueAccount };
}

/** The account of a session whose provider is due, marked as asked so that no one else asks. */
function takeDueAccount(
  sql: AuthStatements,
  session: Row,
  ask: NonNullable<SessionCheck["ask"]>,
  now: number,
): DueAccount | undefined {
  if (session["provider"] === null) return undefined;
  const key = { provider: text(session, "provider"), socialId: text(session, "social_id") };
  const taken = sql.takeDueAccount.get({ ...key, ...ask, now });
  if (taken === undefined) return undefined;
  return { ...key, sealedCredentials: text(taken, "sealed_credentials") };
}
