import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { NewAuditEvent } from "../repository.ts";
import type { RefusalEvents } from "./refusal-events.ts";

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

/** Runs a call. If it is refused the event of `describe` is kept, or counted. */
export async function withRefusalEvent<T>(
  { refusals, clock }: { readonly refusals: RefusalEvents; readonly clock: Clock },
  describe: () => Refused | Promise<Refused>,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isRefusal(error)) {
      const { reason } = error;
      await refusals.record({ ...(await describe()), reason, time: clock.now() });
    }
    throw error;
  }
}
