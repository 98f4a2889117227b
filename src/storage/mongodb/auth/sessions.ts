import { Binary } from "mongodb";
import type {
  NewSession,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SessionSteps,
} from "../../../auth/repository.ts";
import { bytesOf, toSession, toUser } from "./documents.ts";
import { REVOKING } from "./revocations.ts";
import type { AccountDocument, SessionDocument, UserDocument } from "./schema.ts";
import { endSessions, liveSessionsOfUser } from "./session-ends.ts";
import { accountOf, changeAccount } from "./social-users.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./transactions.ts";
import { findUser, saveUser } from "./user-documents.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps({ step, alone }: AuthTransactions): SessionSteps {
  return {
    // Most checks change nothing, and are spared the transaction: what they read is one session,
    // and after it the user, as a check would find them that came between two other steps.
    checkSession: async (check) =>
      (await alone((reader) => checkWithoutChange(reader, check))) ??
      (await step((transaction) => checkSession(transaction, check))),

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

/** A live session with what a check of it is to change. */
interface Examined {
  readonly session: SessionDocument;
  readonly byOldToken: boolean;
  readonly user: UserDocument;
  readonly renewal: SessionCheck["renewal"];
  /** Whether it is long enough since it was last seen. */
  readonly seen: boolean;
  readonly due: AccountDocument | undefined;
}

type Refused = Exclude<SessionCheckOutcome, { readonly outcome: "live" }>;

async function examine(reader: AuthReader, check: SessionCheck): Promise<Examined | Refused> {
  const { tokenHash, now, renewal } = check;
  const found = await findSession(reader, tokenHash, now);
  if (found === undefined) return { outcome: "unknown" };
  const { session, byOldToken } = found;
  const user = await findUser(reader, { userId: session.userId });
  if (user === undefined) return { outcome: "unknown" };
  if (user.state !== "active") return { outcome: "user_not_active" };
  if (session.endTime !== null) return { outcome: "unknown" };
  const endsSoon = renewal !== undefined && session.expireTime - now <= renewal.withinMs;
  return {
    session,
    byOldToken,
    user,
    renewal: endsSoon && !byOldToken ? renewal : undefined,
    seen: now - session.lastSeenTime >= SEEN_STEP_MS,
    due: check.ask && dueAccount(user, session, check.ask),
  };
}

/** Undefined where there is something to change. */
async function checkWithoutChange(
  reader: AuthReader,
  check: SessionCheck,
): Promise<SessionCheckOutcome | undefined> {
  const examined = await examine(reader, check);
  if ("outcome" in examined) return examined;
  const { renewal, seen, due } = examined;
  return renewal || seen || due ? undefined : outcomeOf(examined, check.now);
}

async function checkSession(
  transaction: AuthTransaction,
  check: SessionCheck,
): Promise<SessionCheckOutcome> {
  const { now } = check;
  const { in: collections, options } = transaction;
  const examined = await examine(transaction, check);
  if ("outcome" in examined) return examined;
  const { session, renewal, seen, user, due } = examined;
  if (due !== undefined) {
    // Marked as asked, so that no one else asks.
    await saveUser(transaction, changeAccount(user, due, { askTime: now }));
  }
  const filter = { _id: session._id };
  if (renewal !== undefined) {
    await collections.sessions.replaceOne(filter, renewedSession(session, renewal, now), options);
  } else if (seen) {
    await collections.sessions.updateOne(filter, { $set: { lastSeenTime: now } }, options);
  }
  return outcomeOf(examined, now);
}

function outcomeOf(examined: Examined, now: number): SessionCheckOutcome {
  const { session, byOldToken, user, renewal, due } = examined;
  const oldSalt = byOldToken ? session.successorSalt : undefined;
  return {
    outcome: "live",
    user: toUser(user),
    session: {
      ...toSession(session),
      lastSeenTime: now,
      ...(renewal !== undefined && { expireTime: renewal.expireTime }),
    },
    successorSalt: renewal?.salt ?? (oldSalt && bytesOf(oldSalt)),
    dueAccount: due && {
      provider: due.provider,
      socialId: due.socialId,
      sealedCredentials: due.sealedCredentials,
    },
  };
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

/** The account of a session, if it is time to ask its provider. */
function dueAccount(
  user: UserDocument,
  session: SessionDocument,
  { confirmedUntil, askedUntil }: NonNullable<SessionCheck["ask"]>,
): AccountDocument | undefined {
  const account = accountOf(user, session);
  if (account === undefined) return undefined;
  const { confirmTime, askTime } = account;
  return confirmTime <= confirmedUntil && askTime <= askedUntil ? account : undefined;
}
