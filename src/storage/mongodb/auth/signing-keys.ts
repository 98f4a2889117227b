import type { SigningKeySteps } from "../../../auth/repository.ts";
import { takeNumbers } from "./sequences.ts";
import type { AuthTransactions } from "./transactions.ts";

export function signingKeySteps({ step, alone }: AuthTransactions): SigningKeySteps {
  return {
    listSigningKeys: () =>
      alone(async ({ in: { signingKeys }, options }) => {
        const sorted = { ...options, sort: { useTime: 1, order: 1 } } as const;
        const found = await signingKeys.find({}, sorted).toArray();
        return found.map(({ _id: id, publicKey, sealedPrivateKey, useTime }) => ({
          id,
          publicKey,
          sealedPrivateKey,
          useTime,
        }));
      }),

    addSigningKey: ({ key: { id, ...key }, newestId, dropIds }) =>
      step(async (transaction) => {
        const { signingKeys } = transaction.in;
        const { options } = transaction;
        const newest = { ...options, sort: { useTime: -1, order: -1 } } as const;
        if ((await signingKeys.findOne({}, newest))?._id !== newestId) return false;
        // A step that adds a key at the same time takes a number too. MongoDB repeats one of the
        // two.
        const order = await takeNumbers(transaction, "signing_keys", 1);
        await signingKeys.insertOne({ _id: id, ...key, order }, options);
        await signingKeys.deleteMany({ _id: { $in: [...dropIds] } }, options);
        return true;
      }),
  };
}
