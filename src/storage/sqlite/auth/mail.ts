import type { MailSteps, NewMail } from "../../../auth/repository.ts";
import { toMail } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";

export function mailSteps({ sql, step }: AuthTransactions): MailSteps {
  return {
    listMail: (limit) => step(() => sql.listMail.all({ limit }).map(toMail)),

    removeMail: (ids) =>
      step(() => {
        for (const id of ids) sql.removeMail.run({ id });
      }),
  };
}

/** Keeps mail, if there is any, as part of the transaction under way. */
export function keepMail(sql: AuthStatements, mail: NewMail | undefined): void {
  if (mail === undefined) return;
  const { id, sealed, expireTime = null } = mail;
  sql.insertMail.run({ id, sealed, expireTime });
}
