import { randomUUIDv7 } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { AttemptSteps, Email } from "../repository.ts";
import { mailAccount } from "../rules/attempt-limits.ts";
import { FAILURE_LIFE_MS } from "./attempt-limiter.ts";

/**
 * Counts mail to each address, of every kind together, as attempts are counted: in the database,
 * under the email's key, for 15 minutes. Whether a user has the email makes no difference.
 */
export interface MailLimiter {
  /** Counts a mail that is asked for. Throws TOO_MANY_ATTEMPTS where the address has had enough. */
  count(to: Email): Promise<void>;
  /** Counts a mail that goes out in any case, as far as there is still something to count. */
  countNotice(to: Email): Promise<void>;
}

export function createMailLimiter(
  repository: AttemptSteps,
  clock: Clock,
  maxMails: number,
): MailLimiter {
  /** Returns how long to wait; undefined if the mail may go. */
  async function reserve(to: Email): Promise<number | undefined> {
    const reserved = await repository.reserveAttempt({
      id: randomUUIDv7(),
      account: mailAccount(to.key),
      address: "",
      now: clock.now(),
      pendingUntil: undefined,
      windowMs: FAILURE_LIFE_MS,
      accountLimit: maxMails,
      addressLimit: maxMails,
    });
    // None is under way, so none is busy.
    return reserved.outcome === "locked" ? reserved.retryAfterMs : undefined;
  }

  return {
    async count(to) {
      const retryAfterMs = await reserve(to);
      if (retryAfterMs === undefined) return;
      const message = "Too many mails to this address; wait before the next.";
      throw new UsherError("TOO_MANY_ATTEMPTS", { message, retryAfterMs });
    },

    async countNotice(to) {
      await reserve(to);
    },
  };
}
