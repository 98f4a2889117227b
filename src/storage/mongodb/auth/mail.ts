import type { MailSteps, NewMail } from "../../../auth/repository.ts";
import type { MailDocument } from "./schema.ts";
import { nextTimeOrderedId } from "./time-ordered-ids.ts";
import type { AuthTransaction, AuthTransactions } from "./transactions.ts";

export function mailSteps({ alone }: AuthTransactions): MailSteps {
  return {
    listMail: (limit) =>
      alone(async ({ in: { mail }, options }) => {
        const page = { ...options, sort: { order: 1, _id: 1 }, limit } as const;
        const waiting = await mail.find({}, page).toArray();
        return waiting.map(({ _id: id, sealed, expireTime }) => ({
          id,
          sealed,
          expireTime: expireTime ?? undefined,
        }));
      }),

    // A crash may leave some of it: the queue refuses the same mail twice.
    removeMail: (ids) =>
      alone(async ({ in: { mail }, options }) => {
        await mail.deleteMany({ _id: { $in: [...ids] } }, options);
      }),
  };
}

/** Keeps mail, if there is any, as part of the transaction under way. */
export function keepMail(transaction: AuthTransaction, mail: NewMail | undefined): void {
  if (mail !== undefined) transaction.mail.push(mail);
}

/** Writes the mail that a transaction has collected. */
export async function insertMail({ in: { mail }, options, ...transaction }: AuthTransaction) {
  if (transaction.mail.length === 0) return;
  const documents = transaction.mail.map(
    ({ id, sealed, expireTime = null }): MailDocument => ({
      _id: id,
      order: nextTimeOrderedId(),
      sealed,
      expireTime,
    }),
  );
  await mail.insertMany(documents, options);
}
