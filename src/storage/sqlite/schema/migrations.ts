import { accountsSchema } from "./accounts.ts";
import { authSchema } from "./auth.ts";
import { queueSchema } from "./queue.ts";
import { tokensSchema } from "./tokens.ts";

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
