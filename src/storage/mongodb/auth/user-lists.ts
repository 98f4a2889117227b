import type { Filter, IndexSpecification } from "mongodb";
import type { UserPage, UserQuery } from "../../../auth/repository.ts";
import { prefixEnd, UserPageBuilder, userWalk } from "../../../auth/rules/user-pages.ts";
import { toUser } from "./documents.ts";
import type { UserDocument } from "./schema.ts";
import type { AuthReader } from "./transactions.ts";

export async function listUsers(
  { in: collections, options }: AuthReader,
  query: UserQuery,
): Promise<UserPage> {
  const { limit, state, provider } = query;
  const page = new UserPageBuilder(query);
  const { filter, key, index } = walk(query);
  const walked = collections.users.find(filter, {
    ...options,
    sort: { [key]: 1 },
    hint: index,
    limit: page.mostSeen,
    batchSize: limit + 1,
  });
  for await (const user of walked) {
    const isListed =
      (state === undefined || user.state === state) &&
      (provider === "" || user.accounts.some((account) => account.provider === provider));
    if (!page.take(user[key] ?? "", isListed, () => toUser(user))) break;
  }
  return page.page();
}

interface Walk {
  readonly filter: Filter<UserDocument>;
  /** What the index orders by. */
  readonly key: "_id" | "emailKey";
  /** MongoDB is told it, or it would keep to one that was good for another state or provider. */
  readonly index: IndexSpecification;
}

function walk(query: UserQuery): Walk {
  const { after = "", state, emailKeyPrefix: prefix, provider } = query;
  const rest = { _id: { $gt: after } };
  switch (userWalk(query)) {
    case "email": {
      // One bound below: of two the database would take either.
      const from = after < prefix ? { $gte: prefix } : { $gt: after };
      const filter = { emailKey: { ...from, $lt: prefixEnd(prefix) } };
      return { filter, key: "emailKey", index: { emailKey: 1 } };
    }
    case "provider": {
      const filter = { "accounts.provider": provider, ...rest };
      return { filter, key: "_id", index: { "accounts.provider": 1, _id: 1 } };
    }
    case "state":
      return {
        filter: { state, ...rest } as Filter<UserDocument>,
        key: "_id",
        index: { state: 1, _id: 1 },
      };
    case "all":
      return { filter: rest, key: "_id", index: { _id: 1 } };
  }
}
