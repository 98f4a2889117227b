import type { SigningKeySteps } from "../../../auth/repository.ts";
import { toSigningKey } from "./rows.ts";
import type { AuthTransactions } from "./transactions.ts";

export function signingKeySteps({ sql, step }: AuthTransactions): SigningKeySteps {
  return {
    listSigningKeys: () => step(() => sql.listSigningKeys.all().map(toSigningKey)),

    addSigningKey: ({ key, newestId, dropIds }) =>
      step(() => {
        if (sql.newestSigningKey.get()?.["id"] !== newestId) return false;
        sql.insertSigningKey.run({ ...key });
        for (const id of dropIds) sql.deleteSigningKey.run({ id });
        return true;
      }),
  };
}
