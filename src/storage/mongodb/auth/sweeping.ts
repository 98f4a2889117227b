import type { Collection, Filter } from "mongodb";
import type { SweepSteps } from "../../../auth/repository.ts";
import type { UserDocument } from "./schema.ts";
import type { AuthReader, AuthTransactions } from "./transactions.ts";

/**
 * Sweeps each kind by itself, outside of a transaction: what is over stays over, and no caller can
 * tell whether it has been swept.
 */
export function sweepSteps({ alone }: AuthTransactions): SweepSteps {
  return {
    sweep: ({ now, attemptsBefore, eventsBefore, revocationsBefore, limit }) =>
      alone(async (reader) => {
        const { states, sessions, attempts, attemptGuards, events } = reader.in;
        const over = { field: "expireTime", filter: { $lte: now }, limit };
        const uncounted = { field: "time", filter: { $lte: attemptsBefore }, limit };
        const unkept = { field: "time", filter: { $lt: eventsBefore }, limit };
        return Math.max(
          await remove(reader, states, over),
          await remove(reader, sessions, over),
          await removeHashes(reader, "activationCode", now, limit),
          await removeHashes(reader, "resetToken", now, limit),
          await remove(reader, attempts, uncounted),
          await remove(reader, attemptGuards, uncounted),
          await remove(reader, events, unkept),
          await removeRevocations(reader, revocationsBefore, limit),
        );
      }),
  };
}

interface Over {
  /** By which there is an index. */
  readonly field: string;
  readonly filter: { readonly $lte: number } | { readonly $lt: number };
  readonly limit: number;
}

/** Removes the oldest of what is over. Returns how many. */
async function remove<T extends { readonly _id: unknown }>(
  reader: AuthReader,
  collection: Collection<T>,
  over: Over,
): Promise<number> {
  const filter = { [over.field]: over.filter } as Filter<T>;
  const ids = await oldest(reader, collection, filter, over);
  if (ids.length === 0) return 0;
  // The filter is applied once more, since a guard may have been written meanwhile.
  const still = { _id: { $in: ids }, ...filter } as Filter<T>;
  return (await collection.deleteMany(still, reader.options)).deletedCount;
}

/** Removes codes, or tokens, that are over from their users. */
async function removeHashes(
  reader: AuthReader,
  held: "activationCode" | "resetToken",
  now: number,
  limit: number,
): Promise<number> {
  const { users } = reader.in;
  const field = `${held}.expireTime`;
  const filter = { [field]: { $lte: now } } as Filter<UserDocument>;
  const ids = await oldest(reader, users, filter, { field, limit });
  if (ids.length === 0) return 0;
  const still = { _id: { $in: ids }, ...filter } as Filter<UserDocument>;
  const change = { $set: { [held]: null }, $inc: { version: 1 } };
  return (await users.updateMany(still, change, reader.options)).modifiedCount;
}

/** The last one stays, as the place where a list goes on. */
async function removeRevocations(
  reader: AuthReader,
  before: number,
  limit: number,
): Promise<number> {
  const { revocations } = reader.in;
  const last = await revocations.findOne({}, { ...reader.options, sort: { _id: -1 } });
  const ids = await oldest(
    reader,
    revocations,
    { time: { $lt: before } },
    { field: "time", limit },
  );
  const removed = ids.filter((id) => id !== last?._id);
  if (removed.length === 0) return 0;
  return (await revocations.deleteMany({ _id: { $in: removed } }, reader.options)).deletedCount;
}

async function oldest<T extends { readonly _id: unknown }>(
  { options }: AuthReader,
  collection: Collection<T>,
  filter: Filter<T>,
  { field, limit }: Pick<Over, "field" | "limit">,
): Promise<T["_id"][]> {
  const page = { ...options, sort: { [field]: 1 }, limit } as const;
  const found = await collection.find(filter, page).project<Pick<T, "_id">>({ _id: 1 }).toArray();
  return found.map(({ _id }) => _id);
}
