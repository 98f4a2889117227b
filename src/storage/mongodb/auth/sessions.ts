import type { SessionSteps } from "../../../auth/repository.ts";
import { toSession } from "./documents.ts";
import { REVOKING } from "./revocations.ts";
import { checkWithoutWrites, findSession, writeCheck } from "./session-checks.ts";
import { endSessions, liveSessionsOfUser } from "./session-ends.ts";
import type { AuthTransactions } from "./transactions.ts";
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

    listSessions: ({ userId, now }) =>
      step(async (transaction) => {
        if ((await findUser(transaction, { userId })) === undefined) return undefined;
        return (await liveSessionsOfUser(transaction, userId, now)).map(toSession).reverse();
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
