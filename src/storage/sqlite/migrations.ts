import { accountsSchema } from "./schema-accounts.ts";
import { authSchema } from "./schema-auth.ts";
import { queueSchema } from "./schema-queue.ts";
import { tokensSchema } from "./schema-tokens.ts";

/**
 * The schema, by steps that are only ever added to: step N runs once, when a database that has
 * N - 1 of them is opened.
 */
export const migrations: readonly string[] = [
  authSchema,
  queueSchema,
  accountsSchema,
  tokensSchema,
];
