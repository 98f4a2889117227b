import type { Filter } from "mongodb";
import type {
  AttemptReservation,
  AttemptSteps,
  ReservationOutcome,
} from "../../auth/repository.ts";
import type { AttemptDocument } from "./auth-schema.ts";
import type { AuthTransaction, AuthTransactions } from "./auth-transactions.ts";

export function attemptSteps({ step, alone }: AuthTransactions): AttemptSteps {
  return {
    reserveAttempt: (attempt) => step((transaction) => reserveAttempt(transaction, attempt)),

    failAttempt: (id, event) =>
      step(async (transaction) => {
        const { in: collections, options } = transaction;
        await collections.attempts.updateOne(
          { _id: id },
          { $set: { pendingUntil: null } },
          options,
        );
        transaction.events.push(event);
      }),

    releaseAttempt: (id) =>
      alone(async ({ in: { attempts }, options }) => {
        await attempts.deleteOne({ _id: id }, options);
      }),
  };
}

async function reserveAttempt(
  transaction: AuthTransaction,
  attempt: AttemptReservation,
): Promise<ReservationOutcome> {
  const { id, account, address, now, pendingUntil, windowMs, accountLimit, addressLimit } = attempt;
  const { attempts, attemptGuards } = transaction.in;
  const { options } = transaction;
  const limits = [
    { by: { account }, guard: `account ${account}`, limit: accountLimit },
    ...(address === ""
      ? []
      : [{ by: { address }, guard: `address ${address}`, limit: addressLimit }]),
  ];

  let retryAfterMs = 0;
  let busy = false;
  for (const { by, limit } of limits) {
    const { lockedFrom, count } = await triesOf(transaction, by, { limit, windowMs, now });
    if (lockedFrom !== undefined) {
      retryAfterMs = Math.max(retryAfterMs, lockedFrom + windowMs - now);
    }
    if (count >= limit) busy = true;
  }
  if (retryAfterMs > 0) return { outcome: "locked", retryAfterMs };
  if (busy) return { outcome: "busy" };

  // Only whoever gets a try writes: a flood of tries at a locked account is one of mere reads.
  for (const { guard } of limits) {
    const touch = { $inc: { tries: 1 }, $max: { time: now } };
    await attemptGuards.updateOne({ _id: guard }, touch, { ...options, upsert: true });
  }
  await attempts.insertOne({ _id: id, account, address, time: now, pendingUntil }, options);
  return { outcome: "reserved" };
}

/**
 * How many tries count, and the time of the oldest of the last `limit`
 * failures; undefined while there are fewer.
 */
async function triesOf(
  { in: { attempts }, options }: AuthTransaction,
  by: { readonly account: string } | { readonly address: string },
  { limit, windowMs, now }: { limit: number; windowMs: number; now: number },
): Promise<{ readonly count: number; readonly lockedFrom: number | undefined }> {
  const counting: Filter<AttemptDocument> = { ...by, time: { $gt: now - windowMs } };
  // Never many more than the limit, since no more are let in.
  const latest = { ...options, sort: { time: -1 } } as const;
  const tries = await attempts.find(counting, latest).toArray();
  const failed = tries.filter(({ pendingUntil }) => pendingUntil === null || pendingUntil <= now);
  return { count: tries.length, lockedFrom: failed[limit - 1]?.time };
}
