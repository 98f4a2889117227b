import { type Document, Long, MaxKey, MinKey } from "mongodb";

/**
 * Each shard's engine counts its tubes and tasks from 1, and a collection holds those of all
 * shards. So an `_id` has the shard in its upper bits and the number in its lower 53: the ids of a
 * shard are one range, in put order.
 */
const NUMBER_BITS = 53;
const TWO_32 = 2 ** 32;
const HIGH_BITS = NUMBER_BITS - 32;
const HIGH_MASK = 2 ** HIGH_BITS - 1;

export function idOf(shard: number, number: number): Long {
  return new Long(number | 0, ((number / TWO_32) | 0) + (shard << HIGH_BITS));
}

/** The driver gives a number where a 64-bit integer fits into one. */
export function numberOf(id: Long | number): number {
  return typeof id === "number" ? id : numberFrom(id.low, id.high);
}

/** The number in the two halves of an id. */
export function numberFrom(low: number, high: number): number {
  return (high & HIGH_MASK) * TWO_32 + (low >>> 0);
}

export function shardOf(id: Long | number): number {
  return typeof id === "number" ? 0 : shardFrom(id.high);
}

/** The shard in the upper half of an id. */
export function shardFrom(high: number): number {
  return high >>> HIGH_BITS;
}

/** All ids of a shard. */
export function idsOf(shard: number): Document {
  return { $gte: idOf(shard, 0), $lt: idOf(shard + 1, 0) };
}

/** All dedup keys of a tube. */
export function dedupKeysOfTube(shard: number, tube: number): Document {
  const id = idOf(shard, tube);
  return { $gte: { tube: id, key: new MinKey() }, $lte: { tube: id, key: new MaxKey() } };
}

/** All dedup keys of a shard. */
export function dedupKeysOf(shard: number): Document {
  return { $gte: { tube: idOf(shard, 0) }, $lt: { tube: idOf(shard + 1, 0) } };
}

/** All kept leases, or kept sessions, of a shard. */
export function keptOf(shard: number): Document {
  return { $gte: { shard }, $lt: { shard: shard + 1 } };
}
