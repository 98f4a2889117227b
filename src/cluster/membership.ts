import { setTimeout as sleep } from "node:timers/promises";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import type { LocalShards } from "./local-shards.ts";
import { type ClusterView, type InstanceRecord, SHARDS, type ShardRegistry } from "./registry.ts";
import { claimsOf, handOversOf } from "./shard-placement.ts";

/** How often this instance beats and looks at the others. */
const ROUND_MS = 500;
/** The same while someone waits for a shard. */
const HURRIED_ROUND_MS = 50;
/**
 * The part of its life that an instance relies on. The rest is for a beat's way to the database.
 */
const LIFE_MARGIN = 0.9;
/** After this long anyone may claim a shard that its assigned instance has not claimed. */
const PATIENCE_MS = 3_000;
/** How many shards are opened or handed over at a time. */
const AT_ONCE = 16;

/** The owner of a shard: this instance, or another one. */
export type Owner = "here" | InstanceRecord;

/**
 * This instance among the others. It beats, learns who lives and who owns what, claims shards that
 * nobody has, and hands over those beyond its share.
 */
export class Membership {
  readonly #registry: ShardRegistry;
  readonly #local: LocalShards;
  readonly #log: Log;
  readonly #lifeMs: number;
  #address = "";
  /** On the clock of performance.now(), which goes on while the process is stopped. */
  #aliveUntil = 0;
  /**
   * Until this time a silent instance counts as alive: it may have been cut off together with this
   * one.
   */
  #claimAfter = 0;
  #owners = new Map<number, InstanceRecord>();
  #others: readonly InstanceRecord[] = [];
  /** Since when shards are without a living owner. */
  readonly #orphans = new Map<number, number>();
  #work: Promise<unknown> = Promise.resolve();
  #busy = false;
  #waiting = 0;
  #wakeRound: (() => void) | undefined;
  /** Set when the next round shall come without a pause. */
  #hurried = false;
  readonly #changed = new Set<() => void>();
  readonly #onDrain = new Set<(error: UsherError) => void>();
  /** Called after each look with the other instances that live. */
  onOthers: (others: readonly InstanceRecord[]) => void = () => {};
  #failing = false;
  #stopping = false;
  #loop: Promise<void> | undefined;

  constructor(parts: {
    readonly registry: ShardRegistry;
    readonly local: LocalShards;
    readonly log: Log;
    /** How long the others wait for a beat before they take this instance's shards over. */
    readonly lifeMs: number;
  }) {
    this.#registry = parts.registry;
    this.#local = parts.local;
    this.#log = parts.log;
    this.#lifeMs = parts.lifeMs;
    this.#local.mayServe = () => this.isAlive;
    this.#local.onLost = () => this.#hurry();
  }

  /** Joins the others under an address; resolves when every shard has an owner. */
  async start(address: string): Promise<void> {
    this.#address = address;
    await this.#join();
    await this.#round();
    await this.#work;
    this.#loop = this.#run();
    await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => this.ownerOf(shard, { timeoutMs: Infinity })),
    );
  }

  /** Whether it is certain that the others count this instance as alive. */
  get isAlive(): boolean {
    return performance.now() < this.#aliveUntil;
  }

  /** The other instances that live. */
  get others(): readonly InstanceRecord[] {
    return this.#others;
  }

  /** Who has a shard, if that is known. */
  knownOwner(shard: number): Owner | undefined {
    if (this.#local.get(shard) !== undefined) return this.isAlive ? "here" : undefined;
    return this.#owners.get(shard);
  }

  /**
   * Who has a shard, waiting until someone has. Rejects with SHARD_UNAVAILABLE when the time is
   * over, SHUTTING_DOWN when this instance stops, or the signal's reason.
   */
  async ownerOf(
    shard: number,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<Owner> {
    const until = performance.now() + timeoutMs;
    this.#waiting++;
    try {
      for (;;) {
        const owner = this.knownOwner(shard);
        if (owner !== undefined) return owner;
        if (this.#stopping) throw new UsherError("SHUTTING_DOWN");
        signal?.throwIfAborted();
        const leftMs = until - performance.now();
        if (leftMs <= 0) throw new UsherError("SHARD_UNAVAILABLE");
        this.#hurry();
        await this.#change(Math.min(leftMs, 1_000), signal);
      }
    } finally {
      this.#waiting--;
    }
  }

  /** Forgets an owner whose answer shows that it owns the shard no more. */
  forget(shard: number, owner: InstanceRecord): void {
    if (this.#owners.get(shard) === owner) this.#owners.delete(shard);
    this.#hurry();
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Calls back when this instance begins to stop. Returns a function that takes that back. */
  onDrain(callback: (error: UsherError) => void): () => void {
    this.#onDrain.add(callback);
    return () => this.#onDrain.delete(callback);
  }

  /**
   * Resolves as the promise does. Rejects with SHUTTING_DOWN if this instance begins to stop first.
   */
  async unlessDraining<T>(promise: Promise<T>): Promise<T> {
    const stopping = Promise.withResolvers<never>();
    const forget = this.onDrain(stopping.reject);
    try {
      return await Promise.race([promise, stopping.promise]);
    } finally {
      forget();
    }
  }

  /** Those who wait for a shard are told that this instance stops. */
  drain(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const callback of this.#onDrain) callback(new UsherError("SHUTTING_DOWN"));
    this.#wakeAll();
  }

  /** Hands every shard over, for anyone to take, and leaves. */
  async stop(): Promise<void> {
    this.drain();
    this.#hurry();
    await this.#loop;
    await this.#work;
    await Promise.all(this.#local.all().map(({ shard }) => this.#handOver(shard, "")));
    try {
      await this.#registry.leave();
    } catch (error) {
      this.#log.warn({ err: error }, "the others wait until this instance's life is over");
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await sleep(HURRIED_ROUND_MS);
      if (this.#waiting === 0 && !this.#hurried) await this.#pause(ROUND_MS - HURRIED_ROUND_MS);
      this.#hurried = false;
      if (!this.#stopping) await this.#tryRound();
    }
  }

  async #tryRound(): Promise<void> {
    try {
      await this.#round();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error }, "the database does not answer a beat");
      this.#failing = true;
    }
  }

  async #round(): Promise<void> {
    const sentAt = performance.now();
    if (await this.#registry.beat(this.#lifeMs)) {
      this.#prolong(sentAt);
    } else {
      this.#log.warn({}, "the others took this instance for dead; it joins anew");
      this.#local.lose(this.#local.all().map(({ shard }) => shard));
      await this.#join();
    }
    this.#apply(await this.#registry.view());
  }

  async #join(): Promise<void> {
    const sentAt = performance.now();
    await this.#registry.join(this.#address, this.#lifeMs);
    this.#prolong(sentAt);
  }

  #prolong(sentAt: number): void {
    const lapsed = !this.isAlive;
    const isFirst = this.#aliveUntil === 0;
    this.#aliveUntil = sentAt + this.#lifeMs * LIFE_MARGIN;
    if (!lapsed || isFirst) return;
    // The database was away for all, or for this instance. The others get one life to come back.
    this.#claimAfter = performance.now() + this.#lifeMs;
    this.#local.resume();
    this.#wakeAll();
  }

  #apply(view: ClusterView): void {
    const { id } = this.#registry;
    const living = new Map(view.instances.map((instance) => [instance.id, instance]));
    this.#others = view.instances.filter((instance) => instance.id !== id);
    this.onOthers(this.#others);
    const owners = new Map<number, InstanceRecord>();
    const epochs = new Map<number, number>();
    for (const { shard, owner, epoch } of view.shards) {
      epochs.set(shard, epoch);
      const instance = living.get(owner);
      if (instance !== undefined && owner !== id) owners.set(shard, instance);
      const local = this.#local.get(shard);
      // A look that began before the claim shows the epoch from before it.
      if (local === undefined || epoch < local.epoch) continue;
      if (owner !== id || epoch > local.epoch) this.#local.lose([shard]);
    }
    this.#owners = owners;
    this.#noteOrphans(view, living);
    this.#wakeAll();
    if (!this.#busy && !this.#stopping) this.#place(view);
  }

  #noteOrphans(view: ClusterView, living: ReadonlyMap<string, InstanceRecord>): void {
    const now = performance.now();
    const owned = new Set(
      view.shards.filter(({ owner }) => living.has(owner)).map(({ shard }) => shard),
    );
    for (let shard = 0; shard < SHARDS; shard++) {
      if (owned.has(shard)) this.#orphans.delete(shard);
      else if (!this.#orphans.has(shard)) this.#orphans.set(shard, now);
    }
  }

  /**
   * Claims the shards that the view gives to this instance, and hands over those that it takes
   * away.
   */
  #place(view: ClusterView): void {
    const { id } = this.#registry;
    const overdueBefore = performance.now() - PATIENCE_MS;
    const overdue = new Set(
      [...this.#orphans].filter(([, since]) => since < overdueBefore).map(([shard]) => shard),
    );
    const owners = new Map(view.shards.map(({ shard, owner }) => [shard, owner]));
    const claims = claimsOf(view, id, overdue).filter(
      ({ shard }) => performance.now() > this.#claimAfter || (owners.get(shard) ?? "") === "",
    );
    const kept = new Set(
      this.#local.all().flatMap(({ shard, engine }) => (engine.isKept ? [] : [shard])),
    );
    const handOvers = claims.length > 0 ? [] : handOversOf(view, id, kept);
    // Shards that the registry gives to this instance and that are not open: an opening or a
    // hand-over failed.
    const stray = view.shards.filter(({ shard, owner }) => owner === id && !this.#local.has(shard));
    if (claims.length + handOvers.length + stray.length === 0) return;
    this.#busy = true;
    this.#work = Promise.all([
      this.#claim(claims),
      inBatches(handOvers, ({ shard, heir }) => this.#handOver(shard, heir)),
      ...stray.map(({ shard, epoch }) => this.#registry.release(shard, epoch, "")),
    ])
      .catch((error) => this.#log.warn({ err: error }, "shards could not be moved"))
      .finally(() => {
        this.#busy = false;
        this.#hurry();
      });
  }

  async #claim(claims: readonly { shard: number; epoch: number }[]): Promise<void> {
    if (claims.length === 0) return;
    const startedAt = performance.now();
    const taken = await this.#registry.claim(claims);
    await inBatches([...taken], ([shard, epoch]) => this.#local.open(shard, epoch));
    const tookMs = Math.round(performance.now() - startedAt);
    this.#log.info({ shards: taken.size, tookMs }, "shards taken");
    this.#wakeAll();
  }

  async #handOver(shard: number, heir: string): Promise<void> {
    await this.#local.handOver(shard, (epoch) => this.#registry.release(shard, epoch, heir));
  }

  /** The next round is soon. */
  #hurry(): void {
    this.#hurried = true;
    this.#wakeRound?.();
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeRound = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeRound = undefined;
  }

  /** Resolves when owners may have changed, or after this long. */
  #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        this.#changed.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
      this.#changed.add(done);
    });
  }

  #wakeAll(): void {
    for (const wake of [...this.#changed]) wake();
  }
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}
