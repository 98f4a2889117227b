import type {
  DueAccount,
  NewSession,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SessionRenewal,
  SessionSteps,
  User,
} from "../../../auth/repository.ts";
import { recordEvent } from "./audit.ts";
import { type Columns, required, text, toSession, toSocialAccount } from "./rows.ts";
import type { SessionCache } from "./session-cache.ts";
import { endSession } from "./session-ends.ts";
import type { AuthStatements } from "./statements.ts";
import { SWEPT_WITH_INSERT } from "./sweeping.ts";
import type { AuthTransactions } from "./transactions.ts";
import { accountsOf } from "./users.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps(
  { sql, step, look }: AuthTransactions,
  cache: SessionCache,
): SessionSteps {
  return {
    async checkSession(check) {
      const { tokenHash, now } = check;
      let found: FoundSession | NoSession | undefined = cache.get(tokenHash, now);
      if (found === undefined) {
        found = look(() => findSession(sql, check));
        if (isOutcome(found)) return found;
        if (found.successorSalt === undefined) cache.remember(tokenHash, found);
      }
      const due = dueOf(found, check);
      return due === undefined ? live(found, now) : step(() => writeCheck(sql, check));
    },

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

/** A live session of an active user, as it stands in the database. */
export interface FoundSession {
  readonly user: User;
  readonly session: Session;
  /** The account that opened it, if it is still linked. */
  readonly opener: OpeningAccount | undefined;
  /** Undefined: the token is the one in use. */
  readonly successorSalt: Uint8Array | undefined;
}

interface OpeningAccount {
  readonly provider: string;
  readonly socialId: string;
  /** When the provider last confirmed the user's consent, and when it was last asked. */
  readonly confirmTime: number;
  readonly askTime: number;
}

type NoSession = Exclude<SessionCheckOutcome, { readonly outcome: "live" }>;

/** What a check leaves to be written. */
interface Due {
  readonly renewal: SessionRenewal | undefined;
  readonly see: boolean;
  readonly account: OpeningAccount | undefined;
}

function findSession(
  sql: AuthStatements,
  { tokenHash, now }: SessionCheck,
): FoundSession | NoSession {
  const row = sql.checkedSession.get({ tokenHash, now }) as Columns | undefined;
  if (row === undefined) return { outcome: "unknown" };
  // biome-ignore format: as in the statement
  const [
    userId, email, state, firstName, lastName, picture, locale, attributes,
    hasPassword, createTime, updateTime,
    sessionId, provider, socialId, device, address,
    openTime, lastSeenTime, expireTime, endTime,
    byOldToken, successorSalt,
  ] = row;
  if (state !== "active") return { outcome: "user_not_active" };
  if (endTime !== null) return { outcome: "unknown" };
  const accounts = accountsOf(sql, String(userId));
  return {
    user: {
      id: String(userId),
      email: String(email ?? ""),
      state: "active",
      profile: {
        firstName: String(firstName),
        lastName: String(lastName),
        picture: String(picture),
        locale: String(locale),
        attributes: JSON.parse(String(attributes)) as Record<string, string>,
      },
      socialAccounts: accounts.map(toSocialAccount),
      hasPassword: hasPassword === 1,
      createTime: Number(createTime),
      updateTime: Number(updateTime),
    },
    session: {
      id: String(sessionId),
      provider: String(provider ?? ""),
      device: String(device),
      address: String(address),
      createTime: Number(openTime),
      lastSeenTime: Number(lastSeenTime),
      expireTime: Number(expireTime),
    },
    opener: openingAccount(accounts, provider, socialId),
    successorSalt: byOldToken === 1 ? (successorSalt as Uint8Array) : undefined,
  };
}

function openingAccount(
  accounts: readonly Columns[],
  provider: unknown,
  socialId: unknown,
): OpeningAccount | undefined {
  for (const row of accounts) {
    const [itsProvider, itsId, _email, _verified, _linkTime, confirmTime, askTime] = row;
    if (itsProvider !== provider || itsId !== socialId) continue;
    return {
      provider: String(provider),
      socialId: String(socialId),
      confirmTime: Number(confirmTime),
      askTime: Number(askTime),
    };
  }
  return undefined;
}

function isOutcome(found: FoundSession | NoSession): found is NoSession {
  return "outcome" in found;
}

/** Undefined: nothing, which is mostly. */
function dueOf(
  { session, opener, successorSalt }: FoundSession,
  { now, renewal, ask }: SessionCheck,
): Due | undefined {
  const see = now - session.lastSeenTime >= SEEN_STEP_MS;
  const isRenewed =
    renewal !== undefined &&
    successorSalt === undefined &&
    session.expireTime - now <= renewal.withinMs;
  const isAsked =
    ask !== undefined &&
    opener !== undefined &&
    opener.confirmTime <= ask.confirmedUntil &&
    opener.askTime <= ask.askedUntil;
  if (!see && !isRenewed && !isAsked) return undefined;
  return {
    renewal: isRenewed ? renewal : undefined,
    see,
    account: isAsked ? opener : undefined,
  };
}

function live(
  { user, session, successorSalt }: FoundSession,
  now: number,
  dueAccount?: DueAccount,
): SessionCheckOutcome {
  const seen = { ...session, lastSeenTime: now };
  return { outcome: "live", user, session: seen, successorSalt, dueAccount };
}

/** A check as a transaction, which writes what it finds due. */
function writeCheck(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const found = findSession(sql, check);
  if (isOutcome(found)) return found;
  const { now } = check;
  const { session } = found;
  const due = dueOf(found, check);
  const dueAccount = due?.account && takeAccount(sql, due.account, now);
  if (due?.renewal !== undefined) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = due.renewal;
    const values = { id: session.id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    sql.renewSession.run(values);
    const renewed = { ...found, session: { ...session, expireTime }, successorSalt: salt };
    return live(renewed, now, dueAccount);
  }
  if (due?.see) sql.seeSession.run({ id: session.id, now });
  return live(found, now, dueAccount);
}

/** An account that is due, marked as asked so that no one else asks. */
function takeAccount(
  sql: AuthStatements,
  { provider, socialId }: OpeningAccount,
  now: number,
): DueAccount {
  const key = { provider, socialId };
  const taken = required(sql.takeDueAccount.get({ ...key, now }));
  return { ...key, sealedCredentials: text(taken, "sealed_credentials") };
}
