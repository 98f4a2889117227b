import { Binary } from "mongodb";
import type { NewSession, Session } from "../../../auth/repository.ts";
import { toSession } from "./documents.ts";
import type { SessionDocument, UserDocument } from "./schema.ts";
import { endSessions, liveSessionsOfUser } from "./session-ends.ts";
import type { AuthTransaction } from "./transactions.ts";

/**
 * Opens a session as part of the transaction under way. The user was saved in it before, so that it
 * conflicts with a step that shuts the user out. `account` is what the session was opened with.
 */
export async function openSession(
  transaction: AuthTransaction,
  request: {
    readonly user: UserDocument;
    readonly session: NewSession;
    readonly account?: { readonly provider: string; readonly socialId: string };
    readonly now: number;
  },
): Promise<Session> {
  const { user, session, account, now } = request;
  const { id: sessionId, tokenHash, device, address, expireTime, mostOfUser } = session;
  const { provider = "", socialId = "" } = account ?? {};
  const userId = user._id;
  const document: SessionDocument = {
    _id: sessionId,
    userId,
    order: user.version,
    tokenHash: new Binary(tokenHash),
    provider,
    socialId,
    device,
    address,
    createTime: now,
    lastSeenTime: now,
    expireTime,
    endTime: null,
  };
  const live = await liveSessionsOfUser(transaction, userId, now);
  const oldest = live.slice(0, Math.max(0, live.length - mostOfUser + 1));
  await endSessions(transaction, oldest, "session_revoked", now);
  await transaction.in.sessions.insertOne(document, transaction.options);
  const origin = { provider, device, address };
  transaction.events.push({ type: "signed_in", userId, sessionId, ...origin, time: now });
  return toSession(document);
}
