import { Binary } from "mongodb";
import type {
  SessionCheck,
  SessionCheckOutcome,
  SessionRenewal,
} from "../../../auth/repository.ts";
import { type DueWrites, dueWrites } from "../../../auth/rules/session-checks.ts";
import { bytesOf, toSession, toUser } from "./documents.ts";
import type { AccountDocument, SessionDocument, UserDocument } from "./schema.ts";
import { accountOf, changeAccount } from "./social-accounts.ts";
import type { AuthReader, AuthTransaction } from "./transactions.ts";
import { findUser, saveUser } from "./user-documents.ts";

/** The session of a token, a closed one too, and whether a renewal has replaced the token. */
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

/** A live session, and what a check of it leaves to be written. */
interface Examined {
  readonly session: SessionDocument;
  readonly byOldToken: boolean;
  readonly user: UserDocument;
  /** The account that opened it, if it is still linked and may be due. */
  readonly opener: AccountDocument | undefined;
  readonly due: DueWrites | undefined;
}

type SessionRefusal = Exclude<SessionCheckOutcome, { readonly outcome: "live" }>;

async function examine(
  reader: AuthReader,
  check: SessionCheck,
): Promise<Examined | SessionRefusal> {
  const { tokenHash, now } = check;
  const found = await findSession(reader, tokenHash, now);
  if (found === undefined) return { outcome: "unknown" };
  const { session, byOldToken } = found;
  const user = await findUser(reader, { userId: session.userId });
  if (user === undefined) return { outcome: "unknown" };
  if (user.state !== "active") return { outcome: "user_not_active" };
  if (session.endTime !== null) return { outcome: "unknown" };
  const opener = check.ask && accountOf(user, session);
  return { ...found, user, opener, due: dueWrites(session, byOldToken, opener, check) };
}

/** Undefined: there is something to write. */
export async function checkWithoutWrites(
  reader: AuthReader,
  check: SessionCheck,
): Promise<SessionCheckOutcome | undefined> {
  const examined = await examine(reader, check);
  if ("outcome" in examined) return examined;
  return examined.due === undefined ? outcomeOf(examined, check.now) : undefined;
}

/** A check as part of the transaction under way, which writes what is due. */
export async function writeCheck(
  transaction: AuthTransaction,
  check: SessionCheck,
): Promise<SessionCheckOutcome> {
  const { now } = check;
  const { in: collections, options } = transaction;
  const examined = await examine(transaction, check);
  if ("outcome" in examined) return examined;
  const { session, user, opener, due } = examined;
  if (due?.isAsked && opener) {
    // Marked as asked, so that no one else asks.
    await saveUser(transaction, changeAccount(user, opener, { askTime: now }));
  }
  const filter = { _id: session._id };
  if (due?.renewal !== undefined) {
    const renewed = renewedSession(session, due.renewal, now);
    await collections.sessions.replaceOne(filter, renewed, options);
  } else if (due?.isSeen) {
    await collections.sessions.updateOne(filter, { $set: { lastSeenTime: now } }, options);
  }
  return outcomeOf(examined, now);
}

function outcomeOf(
  { session, byOldToken, user, opener, due }: Examined,
  now: number,
): SessionCheckOutcome {
  const renewal = due?.renewal;
  const oldSalt = byOldToken ? session.successorSalt : undefined;
  const dueAccount =
    due?.isAsked && opener
      ? {
          provider: opener.provider,
          socialId: opener.socialId,
          sealedCredentials: opener.sealedCredentials,
        }
      : undefined;
  return {
    outcome: "live",
    user: toUser(user),
    session: {
      ...toSession(session),
      lastSeenTime: now,
      ...(renewal !== undefined && { expireTime: renewal.expireTime }),
    },
    successorSalt: renewal?.salt ?? (oldSalt && bytesOf(oldSalt)),
    dueAccount,
  };
}

function renewedSession(
  session: SessionDocument,
  renewal: SessionRenewal,
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
