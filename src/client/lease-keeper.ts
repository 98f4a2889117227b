import type { LeasedTask } from "./leased-task.ts";

/** Sweeps follow each other no faster than this, in milliseconds. */
const SHORTEST_SWEEP_MS = 10;

export interface LeaseKeeperOptions {
  /** Asks for `extendMs` more; sets the task's `leaseEndsAt` when it is granted. */
  readonly touch: (held: LeasedTask, extendMs: number) => void;
  /** The lease has ended by this machine's clock, and no touch was answered in time. */
  readonly ended: (held: LeasedTask) => void;
}

/**
 * Touches every task that the worker holds, running or waiting for its turn, before its lease
 * ends. Leases are counted from the arrival of the task, not by the server's clock, which may be
 * another; a touch is sent when half of a lease is left, so that delays do no harm.
 */
export class LeaseKeeper {
  readonly #held = new Set<LeasedTask>();
  readonly #options: LeaseKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #everyMs = Infinity;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  add(held: LeasedTask): void {
    this.#held.add(held);
    // Four looks at the shortest lease: it is touched with more than a quarter of it left.
    const everyMs = Math.max(SHORTEST_SWEEP_MS, held.leaseMs / 4);
    if (everyMs < this.#everyMs) {
      this.#everyMs = everyMs;
      clearTimeout(this.#timer);
      this.#sweepLater();
    }
  }

  remove(held: LeasedTask): void {
    this.#held.delete(held);
  }

  /** Removes and returns all tasks. */
  clear(): LeasedTask[] {
    const all = [...this.#held];
    this.#held.clear();
    this.#stop();
    return all;
  }

  #sweepLater(): void {
    // A timer takes at most 2^31 ms; a lease that is longer is looked at more often than needed.
    this.#timer = setTimeout(() => this.#sweep(), Math.min(this.#everyMs, 2 ** 31 - 1));
  }

  #sweep(): void {
    if (this.#held.size === 0) {
      this.#stop();
      return;
    }
    const now = performance.now();
    for (const held of this.#held) {
      const leftMs = held.leaseEndsAt - now;
      if (leftMs > held.leaseMs / 2) continue;
      if (!held.touching) this.#options.touch(held, Math.ceil(held.leaseMs - Math.max(0, leftMs)));
      else if (leftMs <= 0 && !held.endless) this.#options.ended(held);
    }
    this.#sweepLater();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#everyMs = Infinity;
  }
}
