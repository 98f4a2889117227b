import type { Filter } from "mongodb";
import type {
  AttemptReservation,
  AttemptSteps,
  ReservationOutcome,
} from "../../../auth/repository.ts";
import {
  type AttemptLimit,
  attemptLimits,
  attemptRefusal,
  type CountedTries,
  countedTimes,
} from "../../../auth/rules/attempt-limits.ts";
import type { AttemptDocument } from "./schema.ts";
import type { AuthReader, AuthTransaction, AuthTransactions, Instances } from "./transactions.ts";

export function attemptSteps({ step, alone }: AuthTransactions): AttemptSteps {
  return {
    // A try that is locked out is refused without a lock: a flood of tries costs reads alone.
    reserveAttempt: async (attempt) => {
      const limits = attemptLimits(attempt);
      const refused = await alone((reader) => refusalOf(reader, attempt, limits));
      if (refused !== undefined) return refused;
      const locks = limits.map(({ by }) => guardOf(by));
      return step((transaction) => reserveAttempt(transaction, attempt, limits), locks);
    },

    failAttempt: (id, event) =>
      step(async (transaction) => {
        const { in: collections, options } = transaction;
        await collections.attempts.updateOne(
          { _id: id },
          { $set: { pendingUntil: null } },
          options,
        );
        if (event !== undefined) transaction.events.push(event);
      }),

    releaseAttempt: (id) =>
      alone(async ({ in: { attempts }, options }) => {
        await attempts.deleteOne({ _id: id }, options);
      }),
  };
}

/** The id of the document that every reservation for an account or address writes. */
export function guardOf(by: AttemptLimit["by"]): string {
  return "account" in by ? `account ${by.account}` : `address ${by.address}`;
}

async function reserveAttempt(
  transaction: AuthTransaction,
  attempt: AttemptReservation,
  limits: readonly AttemptLimit[],
): Promise<ReservationOutcome> {
  const refused = await refusalOf(transaction, attempt, limits);
  if (refused !== undefined) return refused;
  const { id, account, address, now, pendingUntil = null } = attempt;
  const { in: collections, options } = transaction;
  for (const { by } of limits) {
    const guard = { _id: guardOf(by) };
    const touch = { $inc: { tries: 1 }, $max: { time: now } };
    await collections.attemptGuards.updateOne(guard, touch, { ...options, upsert: true });
  }
  const instance = transaction.instances.own;
  const made = { _id: id, account, address, time: now, pendingUntil, instance };
  await collections.attempts.insertOne(made, options);
  return { outcome: "reserved" };
}

/** Why no more may try; undefined if one may. */
async function refusalOf(
  reader: AuthReader,
  attempt: AttemptReservation,
  limits: readonly AttemptLimit[],
): Promise<ReservationOutcome | undefined> {
  const tries: CountedTries[] = [];
  for (const limit of limits) tries.push(await triesOf(reader, limit, attempt));
  return attemptRefusal(attempt, tries);
}

async function triesOf(
  { in: { attempts }, options, instances }: AuthReader,
  { by, limit }: AttemptLimit,
  attempt: AttemptReservation,
): Promise<CountedTries> {
  const { now } = attempt;
  const { since, until } = countedTimes(attempt);
  const counting: Filter<AttemptDocument> = { ...by, time: { $gt: since, $lte: until } };
  // Never many more than the limit, since no more are let in.
  const latest = { ...options, sort: { time: -1 } } as const;
  const found = await attempts.find(counting, latest).toArray();
  const living = await livingOf(found, instances);
  const isCutOff = ({ pendingUntil, instance = "" }: AttemptDocument): boolean =>
    pendingUntil !== null && !living.has(instance);
  // Of the tries of an account that a crash cut off the latest counts, as failed.
  const cutOff = new Set<string>();
  const tries = found.filter((attempt) => {
    if (!isCutOff(attempt)) return true;
    if (cutOff.has(attempt.account)) return false;
    cutOff.add(attempt.account);
    return true;
  });
  const failed = tries.filter(
    (attempt) => attempt.pendingUntil === null || attempt.pendingUntil <= now || isCutOff(attempt),
  );
  return { limit, count: tries.length, lockedFrom: failed[limit - 1]?.time };
}

/** The instances that may still settle their tries: this one, and others that live. */
async function livingOf(
  tries: readonly AttemptDocument[],
  { own, living }: Instances,
): Promise<ReadonlySet<string>> {
  const pending = tries.filter(({ pendingUntil }) => pendingUntil !== null);
  const others = new Set(pending.map(({ instance = "" }) => instance));
  others.delete(own);
  return others.size === 0 ? new Set([own]) : new Set([own, ...(await living([...others]))]);
}
