import type { Payload } from "../repository.ts";
import type { TaskTable } from "./task-table.ts";

/** About how much a payload takes in memory beside its bytes. */
const OVERHEAD_BYTES = 96;

/** The same for a task of a temporary tube, which takes room beside its payload too. */
const TEMPORARY_OVERHEAD_BYTES = 256;

/** All that the cache needs to know of a tube. */
interface MaybeTemporary {
  readonly temporary: boolean;
}

/** So many bytes of memory, shared by all engines of a process. */
export class MemoryBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  hasRoomFor(bytes: number): boolean {
    return bytes <= this.#left;
  }

  take(bytes: number): void {
    this.#left -= bytes;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/** The memory for payloads. */
export interface PayloadBudgets {
  /** For payloads that the store has too. */
  readonly cache: MemoryBudget;
  /** For tasks of temporary tubes, which are nowhere else. */
  readonly temporary: MemoryBudget;
}

export function payloadBudgets(limits: {
  readonly cacheBytes: number;
  readonly temporaryBytes: number;
}): PayloadBudgets {
  return {
    cache: new MemoryBudget(limits.cacheBytes),
    temporary: new MemoryBudget(limits.temporaryBytes),
  };
}

/**
 * Payloads in memory, up to a limit. When it is full, later payloads stay in the store alone: the
 * oldest tasks are the next to be taken. Payloads of temporary tubes are always here: the rules ask
 * for room before they put one.
 */
export class PayloadCache {
  readonly #table: TaskTable;
  readonly #budgets: PayloadBudgets;
  readonly #used = { cache: 0, temporary: 0 };
  #closed = false;

  constructor(table: TaskTable, budgets: PayloadBudgets) {
    this.#table = table;
    this.#budgets = budgets;
  }

  /** Whether tasks of these sizes have room in temporary tubes. */
  hasTemporaryRoomFor(tasks: readonly { readonly size: number }[]): boolean {
    const bytes = tasks.reduce((sum, { size }) => sum + size + TEMPORARY_OVERHEAD_BYTES, 0);
    return this.#budgets.temporary.hasRoomFor(bytes);
  }

  keep(tube: MaybeTemporary, slot: number, payload: Payload): void {
    const kind = tube.temporary ? "temporary" : "cache";
    const cost = this.#cost(tube, slot);
    if (!tube.temporary && (this.#closed || !this.#budgets.cache.hasRoomFor(cost))) return;
    this.#budgets[kind].take(cost);
    this.#used[kind] += cost;
    this.#table.payload[slot] = payload;
  }

  drop(tube: MaybeTemporary, slot: number): void {
    if (this.#table.payload[slot] === undefined) return;
    this.#table.payload[slot] = undefined;
    if (this.#closed) return;
    const kind = tube.temporary ? "temporary" : "cache";
    const cost = this.#cost(tube, slot);
    this.#used[kind] -= cost;
    this.#budgets[kind].giveBack(cost);
  }

  /** Frees the budgets that the engine used: it is over. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budgets.cache.giveBack(this.#used.cache);
    this.#budgets.temporary.giveBack(this.#used.temporary);
  }

  #cost(tube: MaybeTemporary, slot: number): number {
    const overhead = tube.temporary ? TEMPORARY_OVERHEAD_BYTES : OVERHEAD_BYTES;
    return (this.#table.size[slot] as number) + overhead;
  }
}
