import type { Filter, IndexSpecification } from "mongodb";
import type { UserPage, UserQuery } from "../../../auth/repository.ts";
import { toUser } from "./documents.ts";
import type { UserDocument } from "./schema.ts";
import type { AuthReader } from "./transactions.ts";

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
  const { filter, key, index } = walk(query);
  const order = { sort: { [key]: 1 }, hint: index } as const;
  const page = { ...options, ...order, limit: mostSeen, batchSize: limit + 1 };
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

interface Walk {
  readonly filter: Filter<UserDocument>;
  /** What the index orders by. */
  readonly key: "_id" | "emailKey";
  readonly index: IndexSpecification;
}

/**
 * Walks the index of the filter that leaves the fewest users. It is told to the database, which
 * would keep to one that was good for another state or provider.
 */
function walk(query: UserQuery): Walk {
  const { after = "", state, emailKeyPrefix: prefix, provider } = query;
  if (prefix !== "") {
    // One bound below: of two the database would take either.
    const from = after < prefix ? { $gte: prefix } : { $gt: after };
    const filter = { emailKey: { ...from, $lt: prefix + LAST } };
    return { filter, key: "emailKey", index: { emailKey: 1 } };
  }
  const rest = { _id: { $gt: after } };
  if (provider !== "") {
    const filter = { "accounts.provider": provider, ...rest };
    return { filter, key: "_id", index: { "accounts.provider": 1, _id: 1 } };
  }
  if (state !== undefined) {
    return { filter: { state, ...rest }, key: "_id", index: { state: 1, _id: 1 } };
  }
  return { filter: rest, key: "_id", index: { _id: 1 } };
}
