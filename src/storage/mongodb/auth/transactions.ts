import { type ClientSession, MongoError } from "mongodb";
import type { NewAuditEvent, NewMail } from "../../../auth/repository.ts";
import { UsherError } from "../../../base/errors.ts";
import type { MongoDatabase } from "../database.ts";
import { insertEvents } from "./audit.ts";
import { insertMail } from "./mail.ts";
import { insertRevocations, type NewRevocation } from "./revocations.ts";
import { type AuthCollections, authCollections } from "./schema.ts";
import { createTurns } from "./turns.ts";

/** Where reads find what they read: every operation is handed these options. */
export interface AuthReader {
  readonly in: AuthCollections;
  readonly options: { readonly session?: ClientSession };
}

/** A transaction under way. What is collected here is written at its end, each kind at once. */
export interface AuthTransaction extends AuthReader {
  readonly events: NewAuditEvent[];
  readonly mail: NewMail[];
  readonly revocations: NewRevocation[];
}

/** What the steps of each topic run on. */
export interface AuthTransactions {
  /**
   * Runs `work` in one durable transaction, again where another one was in its way. `turns` names
   * documents that many steps write, so that those of this process do not get in each other's.
   */
  step<T>(
    work: (transaction: AuthTransaction) => Promise<T>,
    turns?: readonly string[],
  ): Promise<T>;
  /** Runs operations each of which is right by itself. */
  alone<T>(work: (reader: AuthReader) => Promise<T>): Promise<T>;
}

const DUPLICATE_KEY = 11_000;
/** How often a step may meet a key that others took since it looked. */
const MOST_DUPLICATES = 10;

export function createAuthTransactions(database: MongoDatabase): AuthTransactions {
  const collections = authCollections(database.db);
  const inTurn = createTurns();

  async function run<T>(work: (transaction: AuthTransaction) => Promise<T>): Promise<T> {
    for (let met = 0; ; met++) {
      try {
        return await database.transaction(async (session) => {
          const transaction: AuthTransaction = {
            in: collections,
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
        // The next look sees the document that has the key, and comes to the step's own outcome.
        if (!isDuplicateKey(error) || met === MOST_DUPLICATES) throw error;
      }
    }
  }

  return {
    step: (work, turns = []) => inTurn(turns, () => run(work)),

    alone: (work) => database.operation(() => work({ in: collections, options: {} })),
  };
}

function isDuplicateKey(error: unknown): boolean {
  const cause = error instanceof UsherError ? error.cause : error;
  return cause instanceof MongoError && cause.code === DUPLICATE_KEY;
}
