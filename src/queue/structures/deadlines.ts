import type { Clock } from "../../base/clock.ts";
import type { Alarm } from "./alarm.ts";
import { Heap } from "./heap.ts";
import type { TaskTable } from "./task-table.ts";

/** One turn handles at most this many, so that other work gets its turn. */
export const MOST_AT_ONCE = 5_000;
/** Due tasks wait this long while the store is busy; milliseconds. */
const HELD_BACK_MS = 10;

interface DeadlineEvents {
  taskDue(slot: number): void;
  /** The clock's timer has let things happen. */
  afterwards(): void;
  /** Whether the store is so busy that due tasks should wait: each is one more change for it. */
  isBehind(): boolean;
}

/**
 * Everything that is due at some time, in order of time, on one timer. Tasks are known by their
 * slots, everything else by alarms. Setting and clearing are O(log n).
 */
export class Deadlines {
  readonly #table: TaskTable;
  readonly #clock: Clock;
  readonly #on: DeadlineEvents;
  readonly #tasks: Heap<number>;
  readonly #alarms = new Heap<Alarm>({
    before: (a, b) => a.due < b.due,
    moved: (alarm, place) => {
      alarm.place = place;
    },
  });
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  #closed = false;

  constructor(table: TaskTable, clock: Clock, on: DeadlineEvents) {
    this.#table = table;
    this.#clock = clock;
    this.#on = on;
    this.#tasks = new Heap({
      before: (a, b) => (table.due[a] as number) < (table.due[b] as number),
      moved: (slot, place) => {
        table.duePlace[slot] = place + 1;
      },
    });
  }

  /** Sets when a task is due, in place of an earlier setting; Infinity: never. */
  setTask(slot: number, due: number): void {
    const place = this.#table.duePlace[slot] as number;
    if (due === Infinity) {
      if (place !== 0) this.clearTask(slot);
      return;
    }
    this.#table.due[slot] = due;
    if (place === 0) this.#tasks.push(slot);
    else this.#tasks.changedAt(place - 1);
    this.#arm(due);
  }

  clearTask(slot: number): void {
    const place = this.#table.duePlace[slot] as number;
    if (place === 0) return;
    this.#table.duePlace[slot] = 0;
    this.#tasks.removeAt(place - 1);
  }

  setAlarm(due: number, ring: () => void): Alarm {
    const alarm: Alarm = { due, ring, place: -1 };
    if (due === Infinity) return alarm;
    this.#alarms.push(alarm);
    this.#arm(due);
    return alarm;
  }

  clearAlarm(alarm: Alarm | undefined): void {
    if (alarm === undefined || alarm.place === -1) return;
    const place = alarm.place;
    alarm.place = -1;
    this.#alarms.removeAt(place);
  }

  /** Lets happen what is due. */
  advance(): void {
    const now = this.#clock.monotonic();
    for (let count = 0; count < MOST_AT_ONCE; count++) {
      const slot = this.#on.isBehind() ? undefined : this.#tasks.peek();
      const alarm = this.#alarms.peek();
      const taskDue = slot === undefined ? Infinity : (this.#table.due[slot] as number);
      const alarmDue = alarm?.due ?? Infinity;
      if (Math.min(taskDue, alarmDue) > now) return;
      if (slot !== undefined && taskDue <= alarmDue) {
        this.clearTask(slot);
        this.#on.taskDue(slot);
      } else if (alarm !== undefined) {
        this.clearAlarm(alarm);
        alarm.ring();
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#disarm?.();
  }

  #arm(due: number): void {
    if (due >= this.#armedFor || this.#closed) return;
    this.#disarm?.();
    this.#armedFor = due;
    this.#disarm = this.#clock.after(due - this.#clock.monotonic(), () => {
      this.#armedFor = Infinity;
      this.#disarm = undefined;
      this.advance();
      this.#arm(this.#next());
      this.#on.afterwards();
    });
  }

  #next(): number {
    const slot = this.#tasks.peek();
    const taskDue = slot === undefined ? Infinity : (this.#table.due[slot] as number);
    const notBefore = this.#on.isBehind() ? this.#clock.monotonic() + HELD_BACK_MS : 0;
    return Math.min(Math.max(taskDue, notBefore), this.#alarms.peek()?.due ?? Infinity);
  }
}
