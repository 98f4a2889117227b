import type { RevocationSteps } from "../../../auth/repository.ts";
import { takeNumbers } from "./sequences.ts";
import type { AuthTransaction, AuthTransactions } from "./transactions.ts";

/** The lock of steps that may revoke something: they all write the sequence of revocations. */
export const REVOKING = ["revocations"];

export function revocationSteps({ alone }: AuthTransactions): RevocationSteps {
  return {
    listRevocations: ({ after, limit }) =>
      alone(async ({ in: { revocations }, options }) => {
        const page = { ...options, sort: { _id: 1 }, limit } as const;
        const found = await revocations.find({ _id: { $gt: after } }, page).toArray();
        return found.map(({ _id, ...revocation }) => ({ sequence: _id, ...revocation }));
      }),

    lastRevocation: () =>
      alone(async ({ in: { counters }, options }) => {
        const counter = await counters.findOne({ _id: "revocations" }, options);
        return counter?.last ?? 0;
      }),
  };
}

/**
 * Writes the revocations that a transaction has collected. Transactions that take numbers come one
 * after the other: a reader who sees a number sees every one below it, unless it was swept.
 */
export async function insertRevocations(transaction: AuthTransaction): Promise<void> {
  const { in: collections, options, revocations } = transaction;
  if (revocations.length === 0) return;
  const first = await takeNumbers(transaction, "revocations", revocations.length);
  await collections.revocations.insertMany(
    revocations.map((revocation, nth) => ({ _id: first + nth, ...revocation })),
    options,
  );
}
