import { Binary } from "mongodb";
import type {
  DueAccount,
  NewSession,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SessionSteps,
} from "../../auth/repository.ts";
import { bytesOf, toSession, toUser } from "./auth-documents.ts";
import type { SessionDocument, UserDocument } from "./auth-schema.ts";
import { endSessions, liveSessionsOfUser } from "./auth-session-ends.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./auth-transactions.ts";
import { findUser, saveUser } from "./auth-user-documents.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps({ step }: AuthTransactions): SessionSteps {
  return {
    checkSession: (check) => step((transaction) => checkSession(transaction, check)),

    endSession: ({ tokenHash, now }) =>
      step(async (transaction) => {
        const found = await findSession(transaction, tokenHash, now);
        if (found === undefined || found.session.endTime !== null) return false;
        await endSessions(transaction, [found.session], "signed_out", now);
        return true;
      }),

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
      }),
  };
}

/**
 * Opens a session as part of the transaction under way, in which the user has been saved: that is
 * what keeps it from racing with whatever shuts the user out. `account` is what it was opened with.
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
  const { id: sessionId, tokenHash, device, address, expireTime } = session;
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
  await transaction.in.sessions.insertOne(document, transaction.options);
  const origin = { provider, device, address };
  transaction.events.push({ type: "signed_in", userId, sessionId, ...origin, time: now });
  return toSession(document);
}

/** The session of a token, one that was closed too, and whether a renewal has replaced the token. */
export async function findSession(
  { in: { sessions }, options }: AuthReader,
  tokenHash: Uint8Array,
  now: number,
): Promise<{ readonly session: SessionDocument; readonly byOldToken: boolean } | undefined> {
  const hash = new Binary(tokenHash);
  const session = await sessions.findOne(
    {
      $or: [{ tokenHash: hash }, { oldTokenHash: hash, oldTokenExpireTime: { $gt: now } }],
      expireTime: { $gt: now },
    },
    options,
  );
  if (session === null) return undefined;
  return { session, byOldToken: Buffer.compare(bytesOf(session.tokenHash), tokenHash) !== 0 };
}

async function checkSession(
  transaction: AuthTransaction,
  check: SessionCheck,
): Promise<SessionCheckOutcome> {
  const { tokenHash, now, renewal, ask } = check;
  const found = await findSession(transaction, tokenHash, now);
  if (found === undefined) return { outcome: "unknown" };
  const { session, byOldToken } = found;
  const document = await findUser(transaction, { userId: session.userId });
  if (document === undefined) return { outcome: "unknown" };
  if (document.state !== "active") return { outcome: "user_not_active" };
  if (session.endTime !== null) return { outcome: "unknown" };

  const user = toUser(document);
  const dueAccount = ask && (await takeDueAccount(transaction, document, session, ask, now));
  if (!byOldToken && renewal && session.expireTime - now <= renewal.withinMs) {
    const renewed = renewedSession(session, renewal, now);
    const { in: collections, options } = transaction;
    await collections.sessions.replaceOne({ _id: session._id }, renewed, options);
    const successorSalt = renewal.salt;
    return { outcome: "live", user, session: toSession(renewed), successorSalt, dueAccount };
  }
  if (now - session.lastSeenTime >= SEEN_STEP_MS) {
    const seen = { $set: { lastSeenTime: now } };
    await transaction.in.sessions.updateOne({ _id: session._id }, seen, transaction.options);
  }
  const salt = byOldToken ? session.successorSalt : undefined;
  const seen = { ...toSession(session), lastSeenTime: now };
  return { outcome: "live", user, session: seen, successorSalt: salt && bytesOf(salt), dueAccount };
}

function renewedSession(
  session: SessionDocument,
  renewal: NonNullable<SessionCheck["renewal"]>,
  now: number,
): SessionDocument {
  return {
    ...session,
    oldTokenHash: session.tokenHash,
    oldTokenExpireTime: renewal.oldTokenExpireTime,
    successorSalt: new Binary(renewal.salt),
    tokenHash: new Binary(renewal.tokenHash),
    lastSeenTime: now,
    expireTime: renewal.expireTime,
  };
}

/** The account of a session whose provider is due, marked as asked so that no one else asks. */
async function takeDueAccount(
  transaction: AuthTransaction,
  user: UserDocument,
  { provider, socialId }: SessionDocument,
  { confirmedUntil, askedUntil }: NonNullable<SessionCheck["ask"]>,
  now: number,
): Promise<DueAccount | undefined> {
  const due = user.accounts.find(
    (account) =>
      account.provider === provider &&
      account.socialId === socialId &&
      account.confirmTime <= confirmedUntil &&
      account.askTime <= askedUntil,
  );
  if (due === undefined) return undefined;
  const asked = user.accounts.map((account) =>
    account === due ? { ...account, askTime: now } : account,
  );
  await saveUser(transaction, { ...user, accounts: asked });
  return { provider, socialId, sealedCredentials: due.sealedCredentials };
}
