import type {
  NewUser,
  ProfileChange,
  ProfileChangeOutcome,
  User,
  UserRequest,
  UserSteps,
} from "../../../auth/repository.ts";
import { accountsOfUser } from "../../../auth/rules/attempt-limits.ts";
import { changedProfile } from "../../../auth/rules/profiles.ts";
import { guardOf } from "./attempts.ts";
import { toUser } from "./documents.ts";
import { REVOKING } from "./revocations.ts";
import type { UserDocument } from "./schema.ts";
import { closeSessionsOfUser } from "./session-ends.ts";
import type { AuthTransaction, AuthTransactions } from "./transactions.ts";
import {
  activated,
  findUser,
  insertUsers,
  newUser,
  saveUser,
  withProfile,
} from "./user-documents.ts";
import { listUsers } from "./user-lists.ts";

export function userSteps({ step, alone }: AuthTransactions): UserSteps {
  return {
    findUser: (by) =>
      alone(async (reader) => {
        const user = await findUser(reader, by);
        return user && toUser(user);
      }),

    listUsers: (query) => alone((reader) => listUsers(reader, query)),

    updateProfile: (change) => step((transaction) => updateProfile(transaction, change)),

    deactivateUser: (request) =>
      step((transaction) => deactivateUser(transaction, request), REVOKING),

    activateUser: ({ userId, now }) =>
      step(async (transaction) => {
        const user = await findUser(transaction, { userId });
        if (user === undefined || user.state === "active") return user && toUser(user);
        transaction.events.push({ type: "activated", userId, time: now });
        return toUser(await saveUser(transaction, activated(user, now)));
      }),

    deleteUser: ({ userId, now }) =>
      step(async (transaction) => {
        const { users, sessions, attempts, attemptGuards } = transaction.in;
        const { options } = transaction;
        const user = await users.findOneAndDelete({ _id: userId }, options);
        if (user === null) return false;
        await sessions.deleteMany({ userId }, options);
        const accounts = accountsOfUser(userId, user.emailKey ?? "");
        await attempts.deleteMany({ account: { $in: accounts } }, options);
        const guards = accounts.map((account) => guardOf({ account }));
        await attemptGuards.deleteMany({ _id: { $in: guards } }, options);
        transaction.events.push({ type: "deleted", userId, time: now });
        transaction.revocations.push({ userId, sessionId: "", time: now });
        return true;
      }, REVOKING),

    importUsers: ({ users, now }) => step((transaction) => importUsers(transaction, users, now)),
  };
}

async function deactivateUser(
  transaction: AuthTransaction,
  { userId, now }: UserRequest,
): Promise<User | undefined> {
  const user = await findUser(transaction, { userId });
  if (user === undefined || user.state === "deactivated") return user && toUser(user);
  const saved = await saveUser(transaction, {
    ...user,
    state: "deactivated",
    activationCode: null,
    resetToken: null,
    updateTime: now,
  });
  await closeSessionsOfUser(transaction, userId, now);
  transaction.events.push({ type: "deactivated", userId, time: now });
  return toUser(saved);
}

async function updateProfile(
  transaction: AuthTransaction,
  change: ProfileChange,
): Promise<ProfileChangeOutcome> {
  const { userId, now } = change;
  const document = await findUser(transaction, { userId });
  if (document === undefined) return { outcome: "unknown" };
  if (document.state !== "active") return { outcome: "user_not_active" };
  const user = toUser(document);
  const profile = changedProfile(user.profile, change);
  if (profile === "same") return { outcome: "updated", user };
  if (profile === "too_large") return { outcome: "too_large" };
  const changed = { ...withProfile(document, profile), updateTime: now };
  transaction.events.push({ type: "profile_updated", userId, time: now });
  return { outcome: "updated", user: toUser(await saveUser(transaction, changed)) };
}

async function importUsers(
  transaction: AuthTransaction,
  users: readonly NewUser[],
  now: number,
): Promise<boolean[]> {
  const taken = await takenOf(transaction, users, now);
  const made: UserDocument[] = [];
  const outcomes = users.map(({ userId, email, profile, passwordHash }) => {
    if (taken.ids.has(userId) || taken.emailKeys.has(email.key)) return false;
    taken.ids.add(userId);
    taken.emailKeys.add(email.key);
    const user = withProfile(newUser({ userId, email, state: "active", now }), profile);
    made.push({ ...user, passwordHash: passwordHash === "" ? null : passwordHash });
    transaction.events.push({ type: "imported", userId, time: now });
    return true;
  });
  await insertUsers(transaction, made);
  return outcomes;
}

/**
 * Ids and emails of new users that are taken already. A user who never finished a registration
 * gives way to an imported one.
 */
async function takenOf(
  { in: collections, options, events }: AuthTransaction,
  users: readonly NewUser[],
  now: number,
): Promise<{ readonly ids: Set<string>; readonly emailKeys: Set<string> }> {
  const ids = users.map(({ userId }) => userId);
  const emailKeys = users.map(({ email }) => email.key);
  const found = await collections.users
    .find({ $or: [{ _id: { $in: ids } }, { emailKey: { $in: emailKeys } }] }, options)
    .project<Pick<UserDocument, "_id" | "emailKey" | "state">>({ emailKey: 1, state: 1 })
    .toArray();
  const pending = found.filter(({ state }) => state === "pending").map(({ _id }) => _id);
  if (pending.length > 0) {
    await collections.users.deleteMany({ _id: { $in: pending } }, options);
    for (const userId of pending) events.push({ type: "deleted", userId, time: now });
  }
  const kept = found.filter(({ state }) => state !== "pending");
  return {
    ids: new Set(kept.map(({ _id }) => _id)),
    emailKeys: new Set(kept.flatMap(({ emailKey }) => emailKey ?? [])),
  };
}
