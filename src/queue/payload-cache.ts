import type { Payload } from "./repository.ts";
import type { TaskTable } from "./task-table.ts";
import type { Tube } from "./tube.ts";

/** What a payload in memory takes beside its bytes, roughly. */
const OVERHEAD_BYTES = 96;

/**
 * Payloads in memory, up to a limit. When it is full what comes later stays in the store only:
 * the oldest tasks are the next to be taken. Payloads of temporary tubes are always here, and do
 * not count.
 */
export class PayloadCache {
  readonly #table: TaskTable;
  readonly #limit: number;
  #bytes = 0;

  constructor(table: TaskTable, limitBytes: number) {
    this.#table = table;
    this.#limit = limitBytes;
  }

  keep(tube: Tube, slot: number, payload: Payload): void {
    if (!tube.temporary) {
      const cost = this.#cost(slot);
      if (this.#bytes + cost > this.#limit) return;
      this.#bytes += cost;
    }
    this.#table.payload[slot] = payload;
  }

  drop(tube: Tube, slot: number): void {
    if (this.#table.payload[slot] === undefined) return;
    this.#table.payload[slot] = undefined;
    if (!tube.temporary) this.#bytes -= this.#cost(slot);
  }

  #cost(slot: number): number {
    return (this.#table.size[slot] as number) + OVERHEAD_BYTES;
  }
}
