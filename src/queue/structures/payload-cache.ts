import type { Payload } from "../repository.ts";
import type { TaskTable } from "./task-table.ts";

/** About how much a payload takes in memory beside its bytes. */
const OVERHEAD_BYTES = 96;

/** All that the cache needs to know of a tube. */
interface MaybeTemporary {
  readonly temporary: boolean;
}

/** How many bytes of payloads may be in memory, for all engines that share the budget. */
export class CacheBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Whether there was room. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * Payloads in memory, up to a limit. When it is full, later payloads stay in the store alone: the
 * oldest tasks are the next to be taken. Payloads of temporary tubes are always here and do not
 * count.
 */
export class PayloadCache {
  readonly #table: TaskTable;
  readonly #budget: CacheBudget;
  #bytes = 0;
  #closed = false;

  constructor(table: TaskTable, budget: CacheBudget) {
    this.#table = table;
    this.#budget = budget;
  }

  keep(tube: MaybeTemporary, slot: number, payload: Payload): void {
    if (!tube.temporary) {
      const cost = this.#cost(slot);
      if (this.#closed || !this.#budget.take(cost)) return;
      this.#bytes += cost;
    }
    this.#table.payload[slot] = payload;
  }

  drop(tube: MaybeTemporary, slot: number): void {
    if (this.#table.payload[slot] === undefined) return;
    this.#table.payload[slot] = undefined;
    if (tube.temporary || this.#closed) return;
    const cost = this.#cost(slot);
    this.#bytes -= cost;
    this.#budget.giveBack(cost);
  }

  /** Frees the budget that the engine used: it is over. */
  close(): void {
    this.#closed = true;
    this.#budget.giveBack(this.#bytes);
  }

  #cost(slot: number): number {
    return (this.#table.size[slot] as number) + OVERHEAD_BYTES;
  }
}
