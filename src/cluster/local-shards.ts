import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { Clock } from "../base/clock.ts";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import { QueueEngine } from "../queue/engine.ts";
import { createQueueService } from "../queue/handlers/service.ts";
import type { QueueStore } from "../queue/repository.ts";
import type { QueueLimits } from "../queue/rules/limits.ts";
import type { SessionHomes } from "../queue/rules/shard.ts";
import { type PayloadBudgets, payloadBudgets } from "../queue/structures/payload-cache.ts";
import { prefixOf } from "./shards.ts";

/** One shard that this instance owns: its engine, and QueueService over that alone. */
export interface LocalShard {
  readonly shard: number;
  readonly epoch: number;
  readonly engine: QueueEngine;
  readonly service: ServiceImpl<typeof QueueService>;
}

/**
 * Makes the store of a shard at an epoch. `lost` is called when another instance has taken the
 * shard.
 */
export type OpenStore = (shard: number, epoch: number, lost: () => void) => QueueStore;

export interface LocalShardsParts {
  readonly openStore: OpenStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
  readonly log: Log;
}

/** The shards of this instance. */
export class LocalShards {
  readonly #parts: LocalShardsParts;
  readonly #memory: PayloadBudgets;
  readonly #open = new Map<number, LocalShard>();
  /**
   * Shards that are being opened or handed over. The registry gives them to this instance, but
   * nobody is served.
   */
  readonly #moving = new Set<number>();
  /** Finds sessions of other shards. */
  sessions: SessionHomes = { ask: async () => undefined, ended() {} };
  /** Whether this instance is sure that the others count it as alive. */
  mayServe: () => boolean = () => false;
  /** A shard was lost to another instance. */
  onLost: (shard: number) => void = () => {};

  constructor(parts: LocalShardsParts) {
    this.#parts = parts;
    this.#memory = payloadBudgets(parts.limits);
  }

  get size(): number {
    return this.#open.size;
  }

  get(shard: number): LocalShard | undefined {
    return this.#open.get(shard);
  }

  all(): LocalShard[] {
    return [...this.#open.values()];
  }

  /** Whether the shard is open, being opened, or being handed over. */
  has(shard: number): boolean {
    return this.#open.has(shard) || this.#moving.has(shard);
  }

  /** Brings back a shard that was claimed at this epoch. Rejects with STORAGE_UNAVAILABLE. */
  async open(shard: number, epoch: number): Promise<void> {
    const { openStore, clock, limits, log } = this.#parts;
    this.#moving.add(shard);
    let lost = false;
    try {
      const store = openStore(shard, epoch, () => {
        lost = true;
        this.#lost(shard, epoch);
      });
      const engine = await QueueEngine.open({
        store,
        clock,
        limits,
        log,
        shard: {
          prefix: prefixOf(shard),
          memory: this.#memory,
          sessions: {
            ask: (id, inUse) => this.sessions.ask(id, inUse),
            ended: (id) => this.sessions.ended(id),
          },
          mayLease: () => this.mayServe(),
        },
      });
      if (lost) {
        engine.abandon();
        return;
      }
      const { maxTaskBytes } = limits;
      const service = createQueueService({ engine, maxTaskBytes });
      this.#open.set(shard, { shard, epoch, engine, service });
    } finally {
      this.#moving.delete(shard);
    }
  }

  /**
   * Ends a shard in good order. Commits are finished, leases and sessions kept, its streams end,
   * and `release` tells the others. A failure means that the shard is lost.
   */
  async handOver(shard: number, release: (epoch: number) => Promise<void>): Promise<void> {
    const local = this.#open.get(shard);
    if (local === undefined) return;
    this.#open.delete(shard);
    this.#moving.add(shard);
    const { engine, epoch } = local;
    try {
      engine.drain(new UsherError("NOT_OWNER"));
      await engine.streamsEnded();
      await engine.close();
      await release(epoch);
    } catch (error) {
      engine.abandon();
      this.#parts.log.warn({ shard, err: error }, "a shard could not be handed over");
    } finally {
      this.#moving.delete(shard);
    }
  }

  /** Drops shards that others have taken over. Nothing of them is served or written any more. */
  lose(shards: Iterable<number>): void {
    for (const shard of shards) {
      const local = this.#open.get(shard);
      if (local !== undefined) this.#lost(shard, local.epoch);
    }
  }

  /** Serves those who wait, after a time in which no leases were given. */
  resume(): void {
    for (const { engine } of this.#open.values()) engine.resume();
  }

  #lost(shard: number, epoch: number): void {
    const local = this.#open.get(shard);
    if (local?.epoch !== epoch) return;
    this.#open.delete(shard);
    local.engine.abandon();
    this.#parts.log.warn({ shard, epoch }, "a shard was lost to another instance");
    this.onLost(shard);
  }
}
