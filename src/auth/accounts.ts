import { UsherError } from "../errors.ts";
import type { AttemptLimiter } from "./attempts.ts";
import type { MailWriter } from "./mail.ts";
import type { PasswordHasher } from "./passwords/hasher.ts";
import type { NewAuditEvent } from "./repository.ts";
import type { SessionRoom } from "./sessions.ts";

/** What the rules of accounts with passwords work on. */
export interface AccountRoom extends SessionRoom {
  readonly hasher: PasswordHasher;
  readonly attempts: AttemptLimiter;
  readonly mail: MailWriter;
}

/** Runs a call; what it refuses becomes an event. A fault of the server's or of a field does not. */
export async function withFailureEvent<T>(
  { repository, clock }: AccountRoom,
  type: NewAuditEvent["type"],
  emailKey: string,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isRefusal(error)) {
      const userId = (await repository.findUser({ emailKey }))?.id ?? "";
      const reason = error.reason;
      await repository.recordEvent({ type, userId, reason, time: clock.now() });
    }
    throw error;
  }
}

const notRefusals: ReadonlySet<string> = new Set([
  "INVALID_PARAMS",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "STORAGE_UNAVAILABLE",
]);

/** Whether an error is an answer about an account. */
export function isRefusal(error: unknown): error is UsherError {
  return error instanceof UsherError && !notRefusals.has(error.reason);
}
