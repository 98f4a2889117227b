import type { Db } from "mongodb";
import type { AuthCounts } from "../../moved-records.ts";
import { authCollections } from "../auth/schema.ts";
import { toUsherError } from "../database.ts";
import { collections } from "../queue/schema.ts";

/** How many there are, under the names of the source's `countQueues`. */
export async function countQueues(db: Db): Promise<Record<string, number>> {
  try {
    return {
      tubes: await db.collection(collections.tubes).countDocuments(),
      tasks: await db.collection(collections.tasks).countDocuments(),
      "dedup keys": await db.collection(collections.dedupKeys).countDocuments(),
    };
  } catch (error) {
    throw toUsherError(error);
  }
}

/** How many records there are. */
export async function countAuth(db: Db): Promise<AuthCounts> {
  const collections = authCollections(db);
  const { users } = collections;
  try {
    const accounts = await users
      .aggregate<{ count: number }>([
        { $match: { accountKeys: { $exists: true } } },
        { $group: { _id: null, count: { $sum: { $size: "$accounts" } } } },
      ])
      .toArray();
    return {
      users: await users.countDocuments(),
      "social accounts": accounts[0]?.count ?? 0,
      "activation codes": await users.countDocuments({ activationCode: { $ne: null } }),
      "reset tokens": await users.countDocuments({ resetToken: { $ne: null } }),
      sessions: await collections.sessions.countDocuments(),
      "sign-ins under way": await collections.states.countDocuments(),
      "password attempts": await collections.attempts.countDocuments(),
      "mails on their way": await collections.mail.countDocuments(),
      "audit events": await collections.events.countDocuments(),
      revocations: await collections.revocations.countDocuments(),
      "signing keys": await collections.signingKeys.countDocuments(),
    };
  } catch (error) {
    throw toUsherError(error);
  }
}
