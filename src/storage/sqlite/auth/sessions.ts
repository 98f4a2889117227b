import type { SessionPlace, SessionSteps } from "../../../auth/repository.ts";
import { readForPage, sessionPage } from "../../../auth/rules/pages.ts";
import { type Row, text, toSession } from "./rows.ts";
import type { SessionCache } from "./session-cache.ts";
import {
  dueAt,
  type FoundSession,
  findSession,
  isRefusal,
  live,
  type SessionRefusal,
  writeCheck,
} from "./session-checks.ts";
import { endSession } from "./session-ends.ts";
import type { AuthTransactions } from "./transactions.ts";

export function sessionSteps(
  { sql, step, look }: AuthTransactions,
  cache: SessionCache,
): SessionSteps {
  return {
    async checkSession(check) {
      const { tokenHash, now } = check;
      let found: FoundSession | SessionRefusal | undefined = cache.get(tokenHash, now);
      if (found === undefined) {
        found = look(() => findSession(sql, check));
        if (isRefusal(found)) return found;
        if (found.successorSalt === undefined) cache.remember(tokenHash, found);
      }
      const due = dueAt(found, check);
      return due === undefined ? live(found, now) : step(() => writeCheck(sql, check));
    },

    endSession: ({ tokenHash, now }) =>
      step(() => {
        const row = sql.sessionByToken.get({ tokenHash, now });
        if (row === undefined || row["end_time"] !== null) return false;
        endSession(sql, row, "signed_out", now);
        return true;
      }),

    listSessions: (query) =>
      step(() => {
        const { userId, now, after } = query;
        if (sql.userById.get({ userId }) === undefined) return undefined;
        const rows = sql.listSessions.all({
          userId,
          now,
          beforeTime: after?.createTime ?? Number.MAX_SAFE_INTEGER,
          beforeOrder: after?.order ?? Number.MAX_SAFE_INTEGER,
          limit: readForPage(query.limit),
        });
        return sessionPage(rows, query, toSession, placeOf);
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

function placeOf(row: Row): SessionPlace {
  return { createTime: Number(row["create_time"]), order: Number(row["place"]) };
}
