import type { Filter } from "mongodb";
import type { UserPage, UserQuery } from "../../auth/repository.ts";
import { toUser } from "./auth-documents.ts";
import type { UserDocument } from "./auth-schema.ts";
import type { AuthReader } from "./auth-transactions.ts";

/** Of users that are looked at for one page beyond those listed, so that no call is slow. */
const MOST_PASSED_OVER = 1_000;

/** The last character of all, so that it comes after whatever else goes on from a prefix. */
const LAST = "\u{10ffff}";

export async function listUsers(
  { in: collections, options }: AuthReader,
  query: UserQuery,
): Promise<UserPage> {
  const { limit, after = "", state, provider } = query;
  const mostSeen = limit + MOST_PASSED_OVER;
  const { filter, key } = walk(query);
  const page = { ...options, sort: { [key]: 1 }, limit: mostSeen, batchSize: limit + 1 } as const;
  const users = [];
  let seen = 0;
  let last = after;
  for await (const user of collections.users.find(filter, page)) {
    const wanted =
      (state === undefined || user.state === state) &&
      (provider === "" || user.accounts.some((account) => account.provider === provider));
    if (wanted) {
      if (users.length === limit) return { users, next: last };
      users.push(toUser(user));
    }
    last = user[key] ?? "";
    seen++;
  }
  return { users, next: seen < mostSeen ? undefined : last };
}

/** Walks the index of the filter that leaves the fewest users; `key` is what it orders by. */
function walk(query: UserQuery): {
  readonly filter: Filter<UserDocument>;
  readonly key: "_id" | "emailKey";
} {
  const { after = "", state, emailKeyPrefix: prefix, provider } = query;
  if (prefix !== "") {
    // One bound below: of two the database would take either.
    const from = after < prefix ? { $gte: prefix } : { $gt: after };
    return { filter: { emailKey: { ...from, $lt: prefix + LAST } }, key: "emailKey" };
  }
  const rest = { _id: { $gt: after } };
  if (provider !== "") return { filter: { "accounts.provider": provider, ...rest }, key: "_id" };
  return { filter: state === undefined ? rest : { state, ...rest }, key: "_id" };
}
