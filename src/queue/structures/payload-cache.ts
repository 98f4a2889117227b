import type { Payload } from "../repository.ts";
import type { TaskTable } from "./task-table.ts";

/** What a payload in memory takes beside its bytes, roughly. */
const OVERHEAD_BYTES = 96;

/** Of a tube the cache knows this alone. */
interface MaybeTemporary {
  readonly temporary: boolean;
}

/** How many bytes of payloads may be in memory, of all the engines that share it. */
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
 * Payloads in memory, up to a limit. When it is full what comes later stays in the store only:
 * the oldest tasks are the next to be taken. Payloads of temporary tubes are always here, and do
 * not count.
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

  /** The engine is over: what it kept is free for others. */
  close(): void {
    this.#closed = true;
    this.#budget.giveBack(this.#bytes);
  }

  #cost(slot: number): number {
    return (this.#table.size[slot] as number) + OVERHEAD_BYTES;
  }
}
