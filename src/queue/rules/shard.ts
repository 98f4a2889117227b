import type { PayloadBudgets } from "../structures/payload-cache.ts";

/**
 * What an engine needs from outside when it has one shard of the tubes, and other engines the rest.
 */
export interface ShardPart {
  /** Begins every lease token and every session id, so that they tell the shard. */
  readonly prefix: string;
  /** Shared by all the engines of this process. */
  readonly memory: PayloadBudgets;
  readonly sessions: SessionHomes;
  /** False while another instance may have taken the shard over without this one knowing. */
  mayLease(): boolean;
}

/**
 * A session as other shards hear of it, in durations alone: the clocks of two instances need not
 * agree.
 */
export interface SessionLife {
  readonly id: string;
  readonly ttlMs: number;
  /** When it ends unless it is renewed before. */
  readonly leftMs: number;
}

/** Where sessions live that were opened in other shards. */
export interface SessionHomes {
  /**
   * Asks whether a session lives on, and renews it if someone here uses it. Resolves with how many
   * milliseconds it has left; undefined: it is over. Rejects where its home does not answer.
   */
  ask(id: string, inUse: boolean): Promise<number | undefined>;
  /** A session of this shard is over: others may hold leases of it. */
  ended(id: string): void;
}
