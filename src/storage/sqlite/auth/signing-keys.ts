import type { SigningKeySteps } from "../../../auth/repository.ts";
import { text } from "./rows.ts";
import type { AuthTransactions } from "./transactions.ts";

export function signingKeySteps({ sql, step }: AuthTransactions): SigningKeySteps {
  return {
    listSigningKeys: () =>
      step(() =>
        sql.listSigningKeys.all().map((row) => ({
          id: text(row, "id"),
          publicKey: text(row, "public_key"),
          sealedPrivateKey: text(row, "sealed_private_key"),
          useTime: Number(row["use_time"]),
        })),
      ),

    addSigningKey: ({ key, newestId, dropIds }) =>
      step(() => {
        if (sql.newestSigningKey.get()?.["id"] !== newestId) return false;
        sql.insertSigningKey.run({ ...key });
        for (const id of dropIds) sql.deleteSigningKey.run({ id });
        return true;
      }),
  };
}
