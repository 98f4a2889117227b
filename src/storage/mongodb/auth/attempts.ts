import type { Filter } from "mongodb";
import type {
  AttemptReservation,
  AttemptSteps,
  ReservationOutcome,
} from "../../../auth/repository.ts";
import type { AttemptDocument } from "./schema.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./transactions.ts";

export function attemptSteps({ step, alone }: AuthTransactions): AttemptSteps {
  return {
    // Whoever is locked out is told so without a turn: a flood of tries is one of mere reads.
    reserveAttempt: async (attempt) => {
      const limits = limitsOf(attempt);
      const refused = await alone((reader) => refusalOf(reader, attempt, limits));
      if (refused !== undefined) return refused;
      const turns = limits.map(({ guard }) => guard);
      return step((transaction) => reserveAttempt(transaction, attempt, limits), turns);
    },

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

interface Limit {
  readonly by: { readonly account: string } | { readonly address: string };
  /** The id of the document that every reservation under this limit writes. */
  readonly guard: string;
  readonly limit: number;
}

function limitsOf({
  account,
  address,
  accountLimit,
  addressLimit,
}: AttemptReservation): readonly Limit[] {
  const ofAccount = { by: { account }, guard: `account ${account}`, limit: accountLimit };
  if (address === "") return [ofAccount];
  return [ofAccount, { by: { address }, guard: `address ${address}`, limit: addressLimit }];
}

async function reserveAttempt(
  transaction: AuthTransaction,
  attempt: AttemptReservation,
  limits: readonly Limit[],
): Promise<ReservationOutcome> {
  const refused = await refusalOf(transaction, attempt, limits);
  if (refused !== undefined) return refused;
  const { id, account, address, now, pendingUntil } = attempt;
  const { in: collections, options } = transaction;
  for (const { guard } of limits) {
    const touch = { $inc: { tries: 1 }, $max: { time: now } };
    await collections.attemptGuards.updateOne({ _id: guard }, touch, { ...options, upsert: true });
  }
  const made = { _id: id, account, address, time: now, pendingUntil };
  await collections.attempts.insertOne(made, options);
  return { outcome: "reserved" };
}

/** Why no more may try; undefined if one may. */
async function refusalOf(
  reader: AuthReader,
  { windowMs, now }: AttemptReservation,
  limits: readonly Limit[],
): Promise<ReservationOutcome | undefined> {
  let retryAfterMs = 0;
  let busy = false;
  for (const { by, limit } of limits) {
    const { lockedFrom, count } = await triesOf(reader, by, { limit, windowMs, now });
    if (lockedFrom !== undefined) {
      retryAfterMs = Math.max(retryAfterMs, lockedFrom + windowMs - now);
    }
    if (count >= limit) busy = true;
  }
  if (retryAfterMs > 0) return { outcome: "locked", retryAfterMs };
  return busy ? { outcome: "busy" } : undefined;
}

/**
 * How many tries count, and the time of the oldest of the last `limit`
 * failures; undefined while there are fewer.
 */
async function triesOf(
  { in: { attempts }, options }: AuthReader,
  by: Limit["by"],
  { limit, windowMs, now }: { limit: number; windowMs: number; now: number },
): Promise<{ readonly count: number; readonly lockedFrom: number | undefined }> {
  const counting: Filter<AttemptDocument> = { ...by, time: { $gt: now - windowMs } };
  // Never many more than the limit, since no more are let in.
  const latest = { ...options, sort: { time: -1 } } as const;
  const tries = await attempts.find(counting, latest).toArray();
  const failed = tries.filter(({ pendingUntil }) => pendingUntil === null || pendingUntil <= now);
  return { count: tries.length, lockedFrom: failed[limit - 1]?.time };
}
