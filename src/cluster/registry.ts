/**
 * The port by which instances of one service find each other and share the shards of the queues.
 * A shard is a part of the tubes, by hash of their names; it has one owner at a time, and an epoch
 * that grows with every owner. Nobody's clock matters: who looks counts how long
 * an instance has been silent.
 */

/** How many shards there are: fixed, since a tube's name decides where its tasks are kept. */
export const SHARDS = 64;

/** One running instance. */
export interface InstanceRecord {
  readonly id: string;
  /** Where the others reach its gRPC listener: host and port. */
  readonly address: string;
}

/** A shard that had an owner at some time. Shards that never had one are not listed. */
export interface ShardRecord {
  readonly shard: number;
  readonly epoch: number;
  /** Empty: it was handed over and nobody has taken it yet. */
  readonly owner: string;
  /** The instance that the owner has handed it to. Empty: anyone may take it. */
  readonly heir: string;
}

/** Who lives and who owns what, as of one moment. */
export interface ClusterView {
  /** Those that have beaten within their life, by id. */
  readonly instances: readonly InstanceRecord[];
  readonly shards: readonly ShardRecord[];
}

export interface ShardRegistry {
  /** The id of this instance: random, new for each start. */
  readonly id: string;
  /** Makes this instance known at an address, alive for `lifeMs` from now. */
  join(address: string, lifeMs: number): Promise<void>;
  /**
   * Prolongs the life of this instance. Resolves false if others have declared it dead: then every
   * shard it had is lost, and it has to join again.
   */
  beat(lifeMs: number): Promise<boolean>;
  /** Who lives and who owns what. */
  view(): Promise<ClusterView>;
  /**
   * Takes shards that are at these epochs (0: never owned) and whose owner is dead or nobody. Each
   * that is still so gets the next epoch. From then on its earlier owner can commit nothing, not
   * even a transaction that it had begun: that is ended first. Resolves with the new epochs of
   * those that were taken.
   */
  claim(shards: readonly Pick<ShardRecord, "shard" | "epoch">[]): Promise<Map<number, number>>;
  /** Gives up a shard of this instance, for an heir or (empty) for anyone. */
  release(shard: number, epoch: number, heir: string): Promise<void>;
  /** Removes this instance: nobody has to wait for its life to end. */
  leave(): Promise<void>;
}
