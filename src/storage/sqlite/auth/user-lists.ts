import type { UserPage, UserQuery } from "../../../auth/repository.ts";
import { type Row, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import { withAccounts } from "./users.ts";

/** Of users that are looked at for one page beyond those listed, so that no call is slow. */
const MOST_PASSED_OVER = 1_000;

/** The last character of all, so that it comes after whatever else goes on from a prefix. */
const LAST = "\u{10ffff}";

export function listUsers(sql: AuthStatements, query: UserQuery): UserPage {
  const { limit, after = "" } = query;
  const mostSeen = limit + MOST_PASSED_OVER;
  const { rows, key } = walk(sql, query, mostSeen);
  const users = [];
  let seen = 0;
  let last = after;
  for (const row of rows) {
    if (row["wanted"] === 1) {
      if (users.length === limit) return { users, next: last };
      users.push(withAccounts(sql, row));
    }
    last = text(row, key);
    seen++;
  }
  return { users, next: seen < mostSeen ? undefined : last };
}

/** Walks the index of the filter that leaves the fewest users; `key` is what it orders by. */
function walk(
  sql: AuthStatements,
  query: UserQuery,
  mostSeen: number,
): { readonly rows: Iterable<Row>; readonly key: "id" | "email_key" } {
  const { after = "", emailKeyPrefix: prefix, provider } = query;
  const state = query.state ?? null;
  if (prefix !== "") {
    const range = { prefix, prefixEnd: prefix + LAST, after, mostSeen };
    return { rows: sql.listUsersByEmail.iterate({ ...range, state, provider }), key: "email_key" };
  }
  const range = { after, mostSeen };
  if (provider !== "") {
    return { rows: sql.listUsersByProvider.iterate({ ...range, state, provider }), key: "id" };
  }
  if (state !== null) return { rows: sql.listUsersByState.iterate({ ...range, state }), key: "id" };
  return { rows: sql.listUsers.iterate(range), key: "id" };
}
