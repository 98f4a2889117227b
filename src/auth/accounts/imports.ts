import { randomUUIDv7 } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { NewUser, UserSteps } from "../repository.ts";

/** Users in one transaction. An import is quick that way, and no other call waits long. */
const BATCH = 250;

/** A user of an import, or what is wrong with it. */
export type ImportedUser = Omit<NewUser, "userId"> & {
  /** Empty: a UUIDv7. */
  readonly userId: string;
};

export type ImportResult =
  | { readonly userId: string; readonly error?: never }
  | { readonly error: UsherError; readonly userId?: never };

/**
 * Imports users, each on its own. Returns for each, in order, its id or why it was not imported.
 */
export async function importUsers(
  { repository, clock }: { readonly repository: UserSteps; readonly clock: Clock },
  given: readonly (ImportedUser | UsherError)[],
): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  for (let start = 0; start < given.length; start += BATCH) {
    if (start > 0) await setImmediate();
    const batch = given
      .slice(start, start + BATCH)
      .map((user) =>
        user instanceof UsherError ? user : { ...user, userId: user.userId || randomUUIDv7() },
      );
    const users = batch.filter((user): user is NewUser => !(user instanceof UsherError));
    const made = await repository.importUsers({ users, now: clock.now() });
    let nth = 0;
    for (const user of batch) {
      if (user instanceof UsherError) results.push({ error: user });
      else if (made[nth++]) results.push({ userId: user.userId });
      else results.push({ error: new UsherError("USER_ALREADY_EXISTS") });
    }
  }
  return results;
}
