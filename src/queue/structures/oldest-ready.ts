import { Heap } from "./heap.ts";
import type { TaskIndex } from "./task-index.ts";
import { state } from "./task-state.ts";
import type { TaskTable } from "./task-table.ts";

/** With fewer noted ids than this the cursor is never started over. */
const FEW = 1_024;

/**
 * Finds the ready task of a tube that was put first, at no cost for puts and takes. A cursor moves
 * over the tasks in put order when somebody asks. Tasks that become ready again behind the cursor
 * are noted. Each task is passed once, so asking is cheap on average.
 */
export class OldestReady {
  readonly #index: TaskIndex;
  readonly #table: TaskTable;
  /** Every ready task has at least this id, or is noted. */
  #cursor = 0;
  #noted = new Heap<number>({ before: (a, b) => a < b, moved: () => {} });

  constructor(index: TaskIndex, table: TaskTable) {
    this.#index = index;
    this.#table = table;
  }

  becameReady(id: number): void {
    if (id >= this.#cursor) return;
    if (this.#noted.size > FEW + this.#index.size) this.#startOver();
    else this.#noted.push(id);
  }

  /** The slot of the oldest ready task; -1: there is none. */
  find(): number {
    for (let id = this.#noted.peek(); id !== undefined; id = this.#noted.peek()) {
      const slot = this.#index.find(id);
      if (slot !== -1 && this.#isReady(slot)) return slot;
      this.#noted.pop();
    }
    let found = -1;
    this.#index.walk(this.#cursor, (slot) => {
      this.#cursor = this.#table.id[slot] as number;
      if (this.#isReady(slot)) found = slot;
      else this.#cursor++;
      return found === -1;
    });
    return found;
  }

  #isReady(slot: number): boolean {
    return this.#table.state[slot] === state.READY;
  }

  #startOver(): void {
    this.#cursor = 0;
    this.#noted = new Heap<number>({ before: (a, b) => a < b, moved: () => {} });
  }
}
