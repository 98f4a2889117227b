import type {
  DueAccount,
  NewSession,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SessionSteps,
  User,
} from "../../auth/repository.ts";
import { recordEvent } from "./auth-audit.ts";
import { type Columns, required, text, toSession, toSocialAccount } from "./auth-rows.ts";
import { endSession } from "./auth-session-ends.ts";
import type { AuthStatements } from "./auth-statements.ts";
import { SWEPT_WITH_INSERT } from "./auth-sweeping.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { accountsOf } from "./auth-users.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps({ sql, step, look }: AuthTransactions): SessionSteps {
  return {
    async checkSession(check) {
      const found = look(() => findSession(sql, check));
      return isOutcome(found) ? found : step(() => writeCheck(sql, check));
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

/** A live session of an active user whose check leaves something to write. */
interface DueSession {
  readonly user: User;
  readonly session: Session;
  readonly successorSalt: Uint8Array | undefined;
  readonly renew: boolean;
  readonly see: boolean;
  readonly dueAccount: SocialKey | undefined;
}

type SocialKey = Pick<DueAccount, "provider" | "socialId">;

/** What a check finds; the outcome itself where nothing is to be written, which is mostly. */
function findSession(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome | DueSession {
  const { tokenHash, now, renewal, ask } = check;
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
  const user = {
    id: String(userId),
    email: String(email ?? ""),
    state: "active" as const,
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
  };
  const session = {
    id: String(sessionId),
    provider: String(provider ?? ""),
    device: String(device),
    address: String(address),
    createTime: Number(openTime),
    lastSeenTime: now,
    expireTime: Number(expireTime),
  };
  const salt = byOldToken === 1 ? (successorSalt as Uint8Array) : undefined;
  const left = session.expireTime - now;
  const renew = byOldToken !== 1 && renewal !== undefined && left <= renewal.withinMs;
  const see = now - Number(lastSeenTime) >= SEEN_STEP_MS;
  const opener = { provider: session.provider, socialId: String(socialId ?? "") };
  const dueAccount = ask && isDue(accounts, opener, ask) ? opener : undefined;
  if (renew || see || dueAccount !== undefined) {
    return { user, session, successorSalt: salt, renew, see, dueAccount };
  }
  return { outcome: "live", user, session, successorSalt: salt, dueAccount: undefined };
}

function isOutcome(found: SessionCheckOutcome | DueSession): found is SessionCheckOutcome {
  return "outcome" in found;
}

/** A check as a transaction, which writes what it finds due. */
function writeCheck(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const found = findSession(sql, check);
  if (isOutcome(found)) return found;
  const { now, renewal } = check;
  const { user, session, successorSalt, renew, see } = found;
  const dueAccount = found.dueAccount && takeAccount(sql, found.dueAccount, now);
  if (renew && renewal !== undefined) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = renewal;
    const values = { id: session.id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    sql.renewSession.run(values);
    const renewed = { ...session, expireTime };
    return { outcome: "live", user, session: renewed, successorSalt: salt, dueAccount };
  }
  if (see) sql.seeSession.run({ id: session.id, now });
  return { outcome: "live", user, session, successorSalt, dueAccount };
}

/** Whether it is time to ask the provider about one of a user's accounts. */
function isDue(
  accounts: readonly Columns[],
  { provider, socialId }: SocialKey,
  { confirmedUntil, askedUntil }: NonNullable<SessionCheck["ask"]>,
): boolean {
  return accounts.some((row) => {
    const [itsProvider, itsId, _email, _verified, _linkTime, confirmTime, askTime] = row;
    if (itsProvider !== provider || itsId !== socialId) return false;
    return Number(confirmTime) <= confirmedUntil && Number(askTime) <= askedUntil;
  });
}

/** An account that is due, marked as asked so that no one else asks. */
function takeAccount(sql: AuthStatements, key: SocialKey, now: number): DueAccount {
  const taken = required(sql.takeDueAccount.get({ ...key, now }));
  return { ...key, sealedCredentials: text(taken, "sealed_credentials") };
}
