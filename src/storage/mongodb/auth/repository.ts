import type { AuthRepository } from "../../../auth/repository.ts";
import { livingInstances } from "../cluster/schema.ts";
import type { MongoDatabase } from "../database.ts";
import { attemptSteps } from "./attempts.ts";
import { auditSteps } from "./audit.ts";
import { mailSteps } from "./mail.ts";
import { passwordSteps } from "./passwords.ts";
import { registrationSteps } from "./registration.ts";
import { revocationSteps } from "./revocations.ts";
import { sessionSteps } from "./sessions.ts";
import { signingKeySteps } from "./signing-keys.ts";
import { socialSteps } from "./social.ts";
import { sweepSteps } from "./sweeping.ts";
import { createAuthTransactions } from "./transaction-runner.ts";
import { userSteps } from "./users.ts";

/**
 * AuthService's store in MongoDB, shared by every instance: a step is a transaction, or one
 * operation. `ensureAuthCollections` has made what it is kept in.
 */
export function createAuthRepository(
  database: MongoDatabase,
  /** The id of this instance in the registry of shards. */
  instance: string,
): AuthRepository {
  const transactions = createAuthTransactions(database, {
    own: instance,
    living: (ids) => livingInstances(database.db, ids),
  });
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
