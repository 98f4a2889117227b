import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { AuditSteps, NewAuditEvent } from "../repository.ts";

/** An event of a refusal, but for what the refusal itself says. */
export type Refused = Omit<NewAuditEvent, "time" | "reason">;

const notRefusals: ReadonlySet<string> = new Set([
  "INVALID_PARAMS",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "STORAGE_UNAVAILABLE",
  "STORAGE_FULL",
]);

/** Whether an error is an answer about an account, and not about a field or the server. */
export function isRefusal(error: unknown): error is UsherError {
  return error instanceof UsherError && !notRefusals.has(error.reason);
}

/** Runs a call. If it is refused the event of `describe` is kept. */
export async function withRefusalEvent<T>(
  { repository, clock }: { readonly repository: AuditSteps; readonly clock: Clock },
  describe: () => Refused | Promise<Refused>,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isRefusal(error)) {
      const { reason } = error;
      await repository.recordEvent({ ...(await describe()), reason, time: clock.now() });
    }
    throw error;
  }
}
