import type {
  DueAccount,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  User,
} from "../../../auth/repository.ts";
import { type DueWrites, dueWrites } from "../../../auth/rules/session-checks.ts";
import { type Columns, required, text, toSocialAccount } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import { accountsOf } from "./user-rows.ts";

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

/** Why a check finds no live session. */
export type SessionRefusal = Exclude<SessionCheckOutcome, { readonly outcome: "live" }>;

export function findSession(
  sql: AuthStatements,
  { tokenHash, now }: SessionCheck,
): FoundSession | SessionRefusal {
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

export function isRefusal(found: FoundSession | SessionRefusal): found is SessionRefusal {
  return "outcome" in found;
}

/** Undefined: nothing is to be written, as after most checks. */
export function dueAt(
  { session, opener, successorSalt }: FoundSession,
  check: SessionCheck,
): DueWrites | undefined {
  return dueWrites(session, successorSalt !== undefined, opener, check);
}

export function live(
  { user, session, successorSalt }: FoundSession,
  now: number,
  dueAccount?: DueAccount,
): SessionCheckOutcome {
  const seen = { ...session, lastSeenTime: now };
  return { outcome: "live", user, session: seen, successorSalt, dueAccount };
}

/** A check as part of the transaction under way, which writes what is due. */
export function writeCheck(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const found = findSession(sql, check);
  if (isRefusal(found)) return found;
  const { now } = check;
  const { session, opener } = found;
  const due = dueAt(found, check);
  const dueAccount = due?.isAsked && opener ? takeAccount(sql, opener, now) : undefined;
  if (due?.renewal !== undefined) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = due.renewal;
    const values = { id: session.id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    sql.renewSession.run(values);
    const renewed = { ...found, session: { ...session, expireTime }, successorSalt: salt };
    return live(renewed, now, dueAccount);
  }
  if (due?.isSeen) sql.seeSession.run({ id: session.id, now });
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
