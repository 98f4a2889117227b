import type { SessionPlace, SessionQuery, SessionSteps } from "../../../auth/repository.ts";
import { readForPage, sessionPage } from "../../../auth/rules/pages.ts";
import { toSession } from "./documents.ts";
import { REVOKING } from "./revocations.ts";
import type { SessionDocument } from "./schema.ts";
import { checkWithoutWrites, findSession, writeCheck } from "./session-checks.ts";
import { endSessions, liveSessionsOfUser } from "./session-ends.ts";
import type { AuthReader, AuthTransactions } from "./transactions.ts";
import { findUser } from "./user-documents.ts";

export function sessionSteps({ step, alone }: AuthTransactions): SessionSteps {
  return {
    // Most checks write nothing and need no transaction: the session and then the user are read as
    // a check between two other steps would find them.
    checkSession: async (check) =>
      (await alone((reader) => checkWithoutWrites(reader, check))) ??
      (await step((transaction) => writeCheck(transaction, check))),

    endSession: ({ tokenHash, now }) =>
      step(async (transaction) => {
        const found = await findSession(transaction, tokenHash, now);
        if (found === undefined || found.session.endTime !== null) return false;
        await endSessions(transaction, [found.session], "signed_out", now);
        return true;
      }, REVOKING),

    listSessions: (query) =>
      step(async (transaction) => {
        const { userId } = query;
        if ((await findUser(transaction, { userId })) === undefined) return undefined;
        return sessionPage(await readSessions(transaction, query), query, toSession, placeOf);
      }),

    revokeSessions: ({ userId, sessionIds, now }) =>
      step(async (transaction) => {
        if ((await findUser(transaction, { userId })) === undefined) return undefined;
        const live = await liveSessionsOfUser(transaction, userId, now);
        const wanted = new Set(sessionIds);
        const chosen = sessionIds === undefined ? live : live.filter(({ _id }) => wanted.has(_id));
        await endSessions(transaction, chosen, "session_revoked", now);
        return chosen.length;
      }, REVOKING),
  };
}

/** The newest first, from a place on. */
function readSessions(
  { in: { sessions }, options }: AuthReader,
  query: SessionQuery,
): Promise<SessionDocument[]> {
  const { userId, now, after } = query;
  const live = { userId, expireTime: { $gt: now }, endTime: null };
  const { createTime = 0, order = 0 } = after ?? {};
  const earlier = {
    $or: [{ createTime: { $lt: createTime } }, { createTime, order: { $lt: order } }],
  };
  const page = {
    ...options,
    sort: { createTime: -1, order: -1 },
    limit: readForPage(query.limit),
  } as const;
  return sessions.find(after === undefined ? live : { ...live, ...earlier }, page).toArray();
}

function placeOf({ createTime, order }: SessionDocument): SessionPlace {
  return { createTime, order };
}
