import type { AuthRepository } from "../../auth/repository.ts";
import { attemptSteps } from "./auth-attempts.ts";
import { auditSteps } from "./auth-audit.ts";
import { mailSteps } from "./auth-mail.ts";
import { passwordSteps } from "./auth-passwords.ts";
import { registrationSteps } from "./auth-registration.ts";
import { revocationSteps } from "./auth-revocations.ts";
import { sessionSteps } from "./auth-sessions.ts";
import { signingKeySteps } from "./auth-signing-keys.ts";
import { socialSteps } from "./auth-social.ts";
import { prepareAuthStatements } from "./auth-statements.ts";
import { sweepSteps } from "./auth-sweeping.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { userSteps } from "./auth-users.ts";
import type { SqliteDatabase } from "./database.ts";
import { SessionCache } from "./session-cache.ts";

/** AuthService's store in the embedded database: a step is a transaction. */
export function createAuthRepository(db: SqliteDatabase): AuthRepository {
  const sql = prepareAuthStatements(db.handle);
  const transactions: AuthTransactions = {
    sql,
    step: async (work) => db.transaction(work),
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
