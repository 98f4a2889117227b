import type { AuthRepository } from "../../../auth/repository.ts";
import { UsherError } from "../../../base/errors.ts";
import type { SqliteDatabase } from "../database.ts";
import { attemptSteps, endCutOffAttempts } from "./attempts.ts";
import { auditSteps } from "./audit.ts";
import { mailSteps } from "./mail.ts";
import { passwordSteps } from "./passwords.ts";
import { registrationSteps } from "./registration.ts";
import { revocationSteps } from "./revocations.ts";
import { SessionCache } from "./session-cache.ts";
import { sessionSteps } from "./sessions.ts";
import { signingKeySteps } from "./signing-keys.ts";
import { socialSteps } from "./social.ts";
import { prepareAuthStatements } from "./statements.ts";
import { sweepSteps } from "./sweeping.ts";
import type { AuthTransactions } from "./transactions.ts";
import { userSteps } from "./users.ts";

const ADDING = { grows: true, erases: true } as const;

/** AuthService's store in the embedded database: a step is a transaction. */
export function createAuthRepository(db: SqliteDatabase): AuthRepository {
  const sql = prepareAuthStatements(db.handle);
  db.transaction(() => endCutOffAttempts(sql));
  const transactions: AuthTransactions = {
    sql,
    step: async (work) => db.transaction(work),
    add: async (work) => {
      if (db.reserve.isFull) throw new UsherError("STORAGE_FULL");
      return db.transaction(work, ADDING);
    },
    signIn: async (work) => {
      if (db.reserve.isUsedUp()) throw new UsherError("STORAGE_FULL");
      return db.transaction(work);
    },
    erase: async (work) => {
      db.isEraseDue = true;
      return db.transaction(work);
    },
    look: (work) => db.read(work),
  };
  return {
    ...userSteps(transactions),
    ...registrationSteps(transactions),
    ...passwordSteps(transactions),
    ...attemptSteps(transactions),
    ...sessionSteps(transactions, SessionCache.of(db.handle)),
    ...socialSteps(transactions),
    ...revocationSteps(transactions),
    ...signingKeySteps(transactions),
    ...auditSteps(transactions),
    ...mailSteps(transactions),
    ...sweepSteps(transactions),
  };
}
