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
import { CacheBudget } from "../queue/structures/payload-cache.ts";
import { prefixOf } from "./shards.ts";

/** One shard that this instance owns: its engine, and QueueService over that alone. */
export interface LocalShard {
  readonly shard: number;
  readonly epoch: number;
  readonly engine: QueueEngine;
  readonly service: ServiceImpl<typeof QueueService>;
}

/** Makes the store of a shard at an epoch; `lost` is called once it is another instance's. */
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
  readonly #cache: CacheBudget;
  readonly #open = new Map<number, LocalShard>();
  /** Being opened or handed over: in the registry this instance's, but nobody is served. */
  readonly #moving = new Set<number>();
  /** Where sessions of other shards are asked for. */
  sessions: SessionHomes = { ask: async () => undefined, ended() {} };
  /** Whether this instance knows that it is alive to the others. */
  mayServe: () => boolean = () => false;
  /** A shard was lost to another instance. */
  onLost: (shard: number) => void = () => {};

  constructor(parts: LocalShardsParts) {
    this.#parts = parts;
    this.#cache = new CacheBudget(parts.limits.cacheBytes);
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

  /** It is open, or on its way to or from it. */
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
          cache: this.#cache,
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
      const service = createQueueService({ engine, clock, maxTaskBytes });
      this.#open.set(shard, { shard, epoch, engine, service });
    } finally {
      this.#moving.delete(shard);
    }
  }

  /**
   * Ends a shard in good order: commits are finished, leases and sessions kept, and `release` tells
   * the others. Streams that it feeds end. Where that fails the shard is lost.
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

  /** Others have taken these over: nothing of them is served or written any more. */
  lose(shards: Iterable<number>): void {
    for (const shard of shards) {
      const local = this.#open.get(shard);
      if (local !== undefined) this.#lost(shard, local.epoch);
    }
  }

  /** Leases may be given again, after a while in which they were not. */
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
