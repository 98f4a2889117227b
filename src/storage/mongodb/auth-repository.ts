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
import { sweepSteps } from "./auth-sweeping.ts";
import { createAuthTransactions } from "./auth-transactions.ts";
import { userSteps } from "./auth-users.ts";
import type { MongoDatabase } from "./database.ts";

/**
 * AuthService's store in MongoDB, shared by every instance: a step is a transaction, or one
 * operation. `ensureAuthCollections` has made what it is kept in.
 */
export function createAuthRepository(database: MongoDatabase): AuthRepository {
  const transactions = createAuthTransactions(database);
  return {
    ...userSteps(transactions),
    ...registrationSteps(transactions),
    ...passwordSteps(transactions),
    ...attemptSteps(transactions),
    ...sessionSteps(transactions),
    ...socialSteps(transactions),
    ...revocationSteps(transactions),
    ...signingKeySteps(transactions),
    ...auditSteps(transactions),
    ...mailSteps(transactions),
    ...sweepSteps(transactions),
  };
}
