import type {
  AuthRepository,
  Registration,
  RegistrationOutcome,
  SessionCheck,
  SessionCheckOutcome,
  SocialSignIn,
  SocialSignInOutcome,
  User,
} from "../../auth/repository.ts";
import { type Row, text, toSession, toSocialAccount, toState, toUser } from "./auth-rows.ts";
import { type AuthStatements, prepareAuthStatements } from "./auth-statements.ts";
import type { SqliteDatabase } from "./database.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

/** AuthService's store in the embedded database: a step is a transaction. */
export function createAuthRepository(db: SqliteDatabase): AuthRepository {
  const sql = prepareAuthStatements(db.handle);
  const step = async <T>(work: () => T): Promise<T> => db.transaction(work);

  return {
    saveState: (state, now) =>
      step(() => {
        sql.sweepStates.run({ now });
        sql.insertState.run({ ...state });
      }),

    consumeState: ({ stateHash, provider, now }) =>
      step(() => {
        const row = sql.takeState.get({ stateHash, provider });
        const state = row === undefined ? undefined : toState(row);
        return state !== undefined && state.expireTime > now ? state : undefined;
      }),

    signInSocially: (signIn) => step(() => signInSocially(sql, signIn)),

    checkSession: (check) => step(() => checkSession(sql, check)),

    endSession: ({ tokenHash, now }) =>
      step(() => {
        const row = sql.sessionByToken.get({ tokenHash, now });
        if (row === undefined || row["end_time"] !== null) return false;
        sql.endSession.run({ id: text(row, "id") });
        return true;
      }),

    findUser: (by) =>
      step(() => {
        const row =
          "userId" in by
            ? sql.userById.get({ userId: by.userId })
            : sql.userByEmail.get({ emailKey: by.emailKey });
        return row === undefined ? undefined : withAccounts(sql, row);
      }),

    registerUser: (registration) => step(() => registerUser(sql, registration)),

    deactivateUser: ({ userId, now }) =>
      step(() => {
        sql.deactivateUser.run({ userId, now });
        sql.voidCode.run({ userId });
        sql.endSessionsOfUser.run({ userId, now });
        const row = sql.userById.get({ userId });
        return row === undefined ? undefined : withAccounts(sql, row);
      }),
  };
}

function signInSocially(sql: AuthStatements, signIn: SocialSignIn): SocialSignInOutcome {
  const { account, profile, session, now } = signIn;
  const verified = account.emailVerified ? account.email : undefined;
  const found = findSocialUser(sql, signIn);
  if (found?.["state"] === "deactivated") return { outcome: "user_not_active" };

  const userId = found === undefined ? signIn.newUserId : text(found, "id");
  if (found === undefined) {
    const email = verified?.address ?? null;
    const emailKey = verified?.key ?? null;
    sql.insertUser.run({ userId, email, emailKey, state: "active", now });
  } else if (found["state"] === "pending") {
    sql.activateUser.run({ userId, now });
    sql.voidCode.run({ userId });
  } else if (verified !== undefined) {
    sql.giveEmail.run({ userId, email: verified.address, emailKey: verified.key, now });
  }
  sql.fillProfile.run({ userId, ...profile, now });
  storeAccount(sql, userId, signIn);

  sql.sweepSessions.run({ now });
  const opened = required(
    sql.insertSession.get({
      ...session,
      userId,
      provider: account.provider,
      socialId: account.socialId,
      now,
    }),
  );
  return {
    outcome: "signed_in",
    user: userOf(sql, userId),
    session: toSession(opened),
    created: found === undefined,
  };
}

/** By the account, else by an email that counts as verified. */
function findSocialUser(sql: AuthStatements, { account }: SocialSignIn): Row | undefined {
  const { provider, socialId, email, emailVerified } = account;
  const byAccount = sql.userByAccount.get({ provider, socialId });
  if (byAccount !== undefined || email === undefined || !emailVerified) return byAccount;
  return sql.userByEmail.get({ emailKey: email.key });
}

function storeAccount(sql: AuthStatements, userId: string, { account, now }: SocialSignIn): void {
  const { provider, socialId, sealedCredentials } = account;
  const email = account.email?.address ?? "";
  const emailVerified = account.emailVerified ? 1 : 0;
  const key = { provider, socialId };
  const values = { ...key, userId, email, emailVerified, sealedCredentials, now };
  const linked = sql.insertAccount.run(values).changes;
  const changed = linked || sql.updateAccountEmail.run({ ...key, email, emailVerified }).changes;
  if (changed) sql.touchUser.run({ userId, now });
  if (!linked) sql.updateAccountCredentials.run({ ...key, sealedCredentials });
}

function checkSession(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const { tokenHash, now, renewWithinMs, renewal } = check;
  const row = sql.sessionByToken.get({ tokenHash, now });
  if (row === undefined) return { outcome: "unknown" };
  const user = userOf(sql, text(row, "user_id"));
  if (user.state !== "active") return { outcome: "user_not_active" };
  if (row["end_time"] !== null) return { outcome: "unknown" };

  const id = text(row, "id");
  const session = toSession(row);
  const byOldToken = row["by_old_token"] === 1;
  if (!byOldToken && session.expireTime - now <= renewWithinMs) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = renewal;
    const values = { id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    const renewed = toSession(required(sql.renewSession.get(values)));
    return { outcome: "live", user, session: renewed, successorSalt: salt };
  }
  if (now - session.lastSeenTime >= SEEN_STEP_MS) sql.seeSession.run({ id, now });
  const successorSalt = byOldToken ? (row["successor_salt"] as Uint8Array) : undefined;
  return { outcome: "live", user, session: { ...session, lastSeenTime: now }, successorSalt };
}

function registerUser(sql: AuthStatements, registration: Registration): RegistrationOutcome {
  const { email, codeHash, codeExpireTime, now } = registration;
  const found = sql.userByEmail.get({ emailKey: email.key });
  const userId =
    registration.userId ?? (found === undefined ? registration.newUserId : text(found, "id"));
  if (found === undefined) {
    if (sql.userById.get({ userId }) !== undefined) return { outcome: "user_exists" };
    const values = { userId, email: email.address, emailKey: email.key, state: "pending", now };
    sql.insertUser.run(values);
  } else if (found["state"] !== "pending" || text(found, "id") !== userId) {
    return { outcome: "user_exists" };
  }
  sql.replaceCode.run({ userId, codeHash, codeExpireTime });
  return { outcome: "registered", user: userOf(sql, userId) };
}

function userOf(sql: AuthStatements, userId: string): User {
  return withAccounts(sql, required(sql.userById.get({ userId })));
}

function withAccounts(sql: AuthStatements, row: Row): User {
  const accounts = sql.accountsOfUser.all({ userId: text(row, "id") });
  return toUser(row, accounts.map(toSocialAccount));
}

/** A row that the schema or the statement before makes sure of. */
function required(row: Row | undefined): Row {
  if (row === undefined) throw new Error("a row that must be there is not");
  return row;
}
