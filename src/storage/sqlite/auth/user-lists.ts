import type { UserPage, UserQuery } from "../../../auth/repository.ts";
import { prefixEnd, UserPageBuilder, userWalk } from "../../../auth/rules/user-pages.ts";
import { type Row, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import { withAccounts } from "./user-rows.ts";

export function listUsers(sql: AuthStatements, query: UserQuery): UserPage {
  const page = new UserPageBuilder(query);
  const key = userWalk(query) === "email" ? "email_key" : "id";
  for (const row of walk(sql, query, page.mostSeen)) {
    if (!page.take(text(row, key), row["wanted"] === 1, () => withAccounts(sql, row))) break;
  }
  return page.page();
}

function walk(sql: AuthStatements, query: UserQuery, mostSeen: number): Iterable<Row> {
  const { after = "", emailKeyPrefix: prefix, provider, state = null } = query;
  const range = { after, mostSeen };
  switch (userWalk(query)) {
    case "email": {
      const emails = { ...range, prefix, prefixEnd: prefixEnd(prefix) };
      return sql.listUsersByEmail.iterate({ ...emails, state, provider });
    }
    case "provider":
      return sql.listUsersByProvider.iterate({ ...range, state, provider });
    case "state":
      return sql.listUsersByState.iterate({ ...range, state });
    case "all":
      return sql.listUsers.iterate(range);
  }
}
