import { MongoError } from "mongodb";
import { UsherError } from "../../../base/errors.ts";
import type { MongoDatabase } from "../database.ts";
import { createAdvisoryLocks } from "./advisory-locks.ts";
import { insertEvents } from "./audit.ts";
import { insertMail } from "./mail.ts";
import { insertRevocations } from "./revocations.ts";
import { authCollections } from "./schema.ts";
import type { AuthTransaction, AuthTransactions, Instances } from "./transactions.ts";

const DUPLICATE_KEY = 11_000;
/** How often a step may meet a key that others took since it looked. */
const MOST_DUPLICATES = 10;

export function createAuthTransactions(
  database: MongoDatabase,
  instances: Instances,
): AuthTransactions {
  const collections = authCollections(database.db);
  const withLocks = createAdvisoryLocks();

  async function run<T>(work: (transaction: AuthTransaction) => Promise<T>): Promise<T> {
    for (let met = 0; ; met++) {
      try {
        return await database.transaction(async (session) => {
          const transaction: AuthTransaction = {
            in: collections,
            instances,
            options: { session },
            events: [],
            mail: [],
            revocations: [],
          };
          const outcome = await work(transaction);
          await insertEvents(transaction);
          await insertMail(transaction);
          await insertRevocations(transaction);
          return outcome;
        });
      } catch (error) {
        // The next run finds the document that has the key, and comes to the step's own outcome.
        if (!isDuplicateKey(error) || met === MOST_DUPLICATES) throw error;
      }
    }
  }

  return {
    step: (work, locks = []) => withLocks(locks, () => run(work)),

    alone: (work) => database.operation(() => work({ in: collections, instances, options: {} })),
  };
}

function isDuplicateKey(error: unknown): boolean {
  const cause = error instanceof UsherError ? error.cause : error;
  return cause instanceof MongoError && cause.code === DUPLICATE_KEY;
}
