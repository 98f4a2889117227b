import { Heap, type HeapOrder } from "./heap.ts";
import type { TaskTable } from "./task-table.ts";

/** A sub-queue of a tube: one leased task at a time, the others in their order. */
interface Group {
  readonly name: string;
  readonly number: number;
  /** Tasks of the group in whatever state; the group is forgotten with the last. */
  members: number;
  busy: boolean;
  /** The group's task that can be taken next; -1: none. */
  offered: number;
  /** The group's other ready tasks. */
  waiting: Heap<number> | undefined;
}

/** The order of takes in a heap of slots: priority, then put order. */
function takeOrder(table: TaskTable): HeapOrder<number> {
  return {
    before(a, b) {
      const byPriority = (table.priority[a] as number) - (table.priority[b] as number);
      return (
        byPriority < 0 || (byPriority === 0 && (table.id[a] as number) < (table.id[b] as number))
      );
    },
    moved(slot, place) {
      table.place[slot] = place + 1;
    },
  };
}

/**
 * The ready tasks of one tube in the order of takes. Of a group only the head is in the order,
 * and only while no task of the group is leased: a take never walks a busy group.
 */
export class ReadyOrder {
  readonly #table: TaskTable;
  readonly #order: HeapOrder<number>;
  readonly #heads: Heap<number>;
  readonly #groups: (Group | undefined)[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #freeNumbers: number[] = [];

  constructor(table: TaskTable) {
    this.#table = table;
    this.#order = takeOrder(table);
    this.#heads = new Heap(this.#order);
  }

  /** Makes a task, in whatever state, a member of a group; an empty name is none. */
  join(slot: number, name: string): void {
    if (name === "") {
      this.#table.group[slot] = 0;
      return;
    }
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#freeNumbers.pop() ?? this.#groups.length;
      this.#numbers.set(name, number);
      this.#groups[number] = {
        name,
        number,
        members: 0,
        busy: false,
        offered: -1,
        waiting: undefined,
      };
    }
    (this.#groups[number] as Group).members++;
    this.#table.group[slot] = number + 1;
  }

  /** The task is gone. It must be in no order any more. */
  leave(slot: number): void {
    const group = this.#groupOf(slot);
    if (group === undefined) return;
    this.#table.group[slot] = 0;
    if (--group.members > 0) return;
    this.#numbers.delete(group.name);
    this.#groups[group.number] = undefined;
    this.#freeNumbers.push(group.number);
  }

  groupName(slot: number): string {
    return this.#groupOf(slot)?.name ?? "";
  }

  add(slot: number): void {
    const group = this.#groupOf(slot);
    if (group === undefined) {
      this.#heads.push(slot);
    } else if (group.busy) {
      this.#wait(group, slot);
    } else if (group.offered === -1) {
      group.offered = slot;
      this.#heads.push(slot);
    } else if (this.#order.before(slot, group.offered)) {
      const second = group.offered;
      this.#heads.removeAt(this.#placeOf(second));
      this.#wait(group, second);
      group.offered = slot;
      this.#heads.push(slot);
    } else {
      this.#wait(group, slot);
    }
  }

  remove(slot: number): void {
    const group = this.#groupOf(slot);
    if (group !== undefined && group.offered !== slot) {
      group.waiting?.removeAt(this.#placeOf(slot));
    } else {
      this.#heads.removeAt(this.#placeOf(slot));
      if (group !== undefined) {
        group.offered = -1;
        this.#offerNext(group);
      }
    }
    this.#table.place[slot] = 0;
  }

  /** The next task to be taken; -1: none. */
  peek(): number {
    return this.#heads.peek() ?? -1;
  }

  /** Takes the next task out; its group is busy until `free`. */
  take(): number {
    const slot = this.#heads.pop();
    if (slot === undefined) return -1;
    this.#table.place[slot] = 0;
    this.occupy(slot);
    return slot;
  }

  /** A task that is in no order holds its group, as after a restart. */
  occupy(slot: number): void {
    const group = this.#groupOf(slot);
    if (group === undefined) return;
    if (group.offered !== -1 && group.offered !== slot) {
      const offered = group.offered;
      this.#heads.removeAt(this.#placeOf(offered));
      this.#wait(group, offered);
    }
    group.offered = -1;
    group.busy = true;
  }

  /** The task that held its group no longer does. */
  free(slot: number): void {
    const group = this.#groupOf(slot);
    if (group === undefined) return;
    group.busy = false;
    this.#offerNext(group);
  }

  #offerNext(group: Group): void {
    const next = group.waiting?.pop();
    if (next === undefined) return;
    group.offered = next;
    this.#heads.push(next);
  }

  #wait(group: Group, slot: number): void {
    group.waiting ??= new Heap(this.#order);
    group.waiting.push(slot);
  }

  #groupOf(slot: number): Group | undefined {
    const number = this.#table.group[slot] as number;
    return number === 0 ? undefined : this.#groups[number - 1];
  }

  #placeOf(slot: number): number {
    return (this.#table.place[slot] as number) - 1;
  }
}
