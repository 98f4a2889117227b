import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { QueueStore } from "../repository.ts";
import type { Alarm } from "../structures/alarm.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Link } from "../structures/linked-list.ts";
import type { PayloadCache } from "../structures/payload-cache.ts";
import { state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import type { Dedup } from "./dedup.ts";
import { checkAgainstKind, type NewTask } from "./new-task.ts";
import type { NumberReservation } from "./number-reservation.ts";
import type { Serving } from "./serving.ts";
import type { TaskPlaces } from "./task-places.ts";
import { type TaskView, viewOf } from "./task-view.ts";
import type { Tube, WaitingPut } from "./tube.ts";

interface Parts {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly payloads: PayloadCache;
  readonly dedup: Dedup;
  readonly numbers: NumberReservation;
  readonly serving: Serving;
  readonly places: TaskPlaces;
}

export interface PutOptions {
  /** How long to wait for room, milliseconds. */
  readonly waitMs: number;
  /** When it aborts, a put that still waits is taken back. */
  readonly signal: AbortSignal | undefined;
  /** Where task number `index` stands in the request, for errors: `tasks[3]`. */
  readonly field: (index: number) => string;
}

export interface PutOutcome {
  readonly ids: number[];
  /** Positions of tasks whose dedup key was taken; their ids are the first ones'. */
  readonly duplicates: number[];
  /**
   * The task, where the put was of one: as it was when it became durable, or for a duplicate the
   * first task as it is now. Undefined if that is gone.
   */
  readonly task?: TaskView;
}

export class Putting {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Puts tasks, all or none, durable when the promise resolves. Rejects with TUBE_NOT_FOUND,
   * INVALID_PARAMS for what the tube's kind lacks, STORAGE_FULL, MEMORY_FULL for a temporary tube,
   * TUBE_FULL when there was no room in time.
   */
  put(tubeName: string, tasks: readonly NewTask[], options: PutOptions): Promise<PutOutcome> {
    const tube = this.#parts.serving.tube(tubeName);
    checkAgainstKind(tube.features, tasks, options.field);
    if (!tube.temporary && this.#parts.store.isFull()) throw new UsherError("STORAGE_FULL");
    tube.calls.put++;
    if (this.#canAdmit(tube, tasks)) return this.#admitNow(tube, tasks);
    if (this.#parts.serving.closing !== undefined) throw this.#parts.serving.closing;
    if (options.waitMs === 0) throw full(tube);
    return this.#wait(tube, tasks, options);
  }

  /** Lets waiting puts in, first come first served, as long as there is room. */
  serve(tube: Tube): void {
    for (let first = tube.puts.first; first !== undefined; first = tube.puts.first) {
      if (!tube.hasRoomFor(this.#needed(tube, first.tasks))) return;
      first.admit();
    }
  }

  #canAdmit(tube: Tube, tasks: readonly NewTask[]): boolean {
    const needed = this.#needed(tube, tasks);
    return needed === 0 || (tube.puts.size === 0 && tube.hasRoomFor(needed));
  }

  /** How many of the tasks are not duplicates. */
  #needed(tube: Tube, tasks: readonly NewTask[]): number {
    if (tube.settings.capacity === 0) return tasks.length;
    const seen = new Set<string>();
    let needed = 0;
    for (const { dedupKey } of tasks) {
      if (dedupKey !== "" && (tube.dedup.has(dedupKey) || seen.has(dedupKey))) continue;
      if (dedupKey !== "") seen.add(dedupKey);
      needed++;
    }
    return needed;
  }

  #wait(tube: Tube, tasks: readonly NewTask[], options: PutOptions): Promise<PutOutcome> {
    return new Promise<PutOutcome>((resolve, reject) => {
      const { deadlines, clock } = this.#parts;
      if (options.signal?.aborted) throw options.signal.reason;
      let link: Link<WaitingPut>;
      let alarm: Alarm;
      const leave = (): void => {
        tube.puts.remove(link);
        deadlines.clearAlarm(alarm);
        options.signal?.removeEventListener("abort", onAbort);
      };
      const waiting: WaitingPut = {
        tasks,
        admit: () => {
          leave();
          this.#admitNow(tube, tasks).then(resolve, reject);
        },
        reject: (error) => {
          leave();
          reject(error);
          // The puts behind it may have room.
          this.#parts.serving.touch(tube);
        },
      };
      const onAbort = (): void => {
        waiting.reject(options.signal?.reason);
        this.#parts.serving.serveTouched();
      };
      link = tube.puts.push(waiting);
      alarm = deadlines.setAlarm(clock.monotonic() + options.waitMs, () =>
        waiting.reject(full(tube)),
      );
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #admitNow(tube: Tube, tasks: readonly NewTask[]): Promise<PutOutcome> {
    if (tube.temporary && !this.#parts.payloads.hasTemporaryRoomFor(tasks)) {
      return Promise.reject(new UsherError("MEMORY_FULL"));
    }
    const parts = this.#parts;
    const now = parts.clock.monotonic();
    const slots: number[] = [];
    const ids: number[] = [];
    const duplicates: number[] = [];
    return new Promise((resolve, reject) => {
      let over = false;
      const fail = (error: unknown): void => {
        over = true;
        for (const slot of slots) this.#takeBack(tube, slot, error);
        reject(error);
      };
      // All or none: where the first task of a key is not kept, the put of its duplicate fails too.
      const firstFailed = (error: unknown): void => {
        if (over) return;
        this.#withdraw(slots);
        fail(error);
      };
      for (const [index, task] of tasks.entries()) {
        const first = task.dedupKey === "" ? undefined : tube.dedup.get(task.dedupKey);
        if (first === undefined) {
          const slot = this.#insert(tube, task, now);
          slots.push(slot);
          ids.push(parts.table.id[slot] as number);
        } else {
          ids.push(first.id);
          duplicates.push(index);
          first.followers?.push(firstFailed);
        }
      }
      parts.committer.add({
        committed: () => {
          if (over) return;
          const durableAt = parts.clock.monotonic();
          for (const slot of slots) this.#appear(tube, slot, durableAt);
          resolve(this.#shown(tube, { ids, duplicates }));
        },
        failed: (error) => {
          if (!over) fail(error);
        },
      });
    });
  }

  #insert(tube: Tube, task: NewTask, now: number): number {
    const { table, numbers, committer } = this.#parts;
    const { settings } = tube;
    const slot = table.allocate();
    const id = numbers.id(tube);
    const ttlMs = task.ttlMs ?? settings.defaultTtlMs;
    const ttrMs = task.ttrMs ?? settings.defaultTtrMs;
    const delayMs = task.delayMs ?? settings.defaultDelayMs;
    table.key[slot] = numbers.key();
    table.id[slot] = id;
    table.createdAt[slot] = now;
    table.readyAt[slot] = delayMs === 0 ? 0 : now + delayMs;
    table.expiresAt[slot] = now + delayMs + ttlMs;
    table.ttrMs[slot] = ttrMs === Infinity ? ttlMs : ttrMs;
    table.tube[slot] = tube.number;
    table.priority[slot] = task.priority ?? settings.defaultPriority;
    table.attempts[slot] = 0;
    table.size[slot] = task.size;
    table.state[slot] = state.NONE;
    (tube.counts[state.NONE] as number)++;
    tube.index.append(id, slot);
    tube.order.join(slot, task.group);
    if (task.dedupKey !== "") {
      table.dedupKey.set(slot, task.dedupKey);
      this.#parts.dedup.note(tube, task.dedupKey, id, now);
    }
    this.#parts.payloads.keep(tube, slot, task.payload);
    if (!tube.temporary) {
      committer.changes.inserts.push({
        key: table.key[slot] as number,
        tube: tube.number,
        id,
        createdAt: now,
        buried: false,
        readyAt: table.readyAt[slot] as number,
        expiresAt: table.expiresAt[slot] as number,
        ttrMs: table.ttrMs[slot] as number,
        priority: table.priority[slot] as number,
        attempts: 0,
        reason: "",
        group: task.group,
        dedupKey: task.dedupKey,
        size: task.size,
        payload: task.payload,
      });
    }
    return slot;
  }

  /** Makes a task visible: its put is durable. */
  #appear(tube: Tube, slot: number, now: number): void {
    const parts = this.#parts;
    const { dedupKey, readyAt } = parts.table;
    const key = dedupKey.size > 0 ? dedupKey.get(slot) : undefined;
    if (key !== undefined) parts.dedup.putKept(tube, key);
    const delayed = (readyAt[slot] as number) > now;
    parts.places.setState(tube, slot, "put", delayed ? state.DELAYED : state.READY);
    parts.places.place(tube, slot);
    parts.places.announce(tube, slot, "PUT");
  }

  /** Adds the task of a put of one. Waiters are served after that. */
  #shown(tube: Tube, outcome: PutOutcome): PutOutcome {
    const slot = outcome.ids.length === 1 ? tube.index.find(outcome.ids[0] as number) : -1;
    return slot === -1 ? outcome : { ...outcome, task: viewOf(this.#parts, tube, slot) };
  }

  #takeBack(tube: Tube, slot: number, error: unknown): void {
    const { table, dedup } = this.#parts;
    const key = table.dedupKey.get(slot);
    table.dedupKey.delete(slot);
    this.#parts.places.forget(tube, slot);
    if (key !== undefined) dedup.putFailed(tube, key, error);
  }

  /** Takes tasks out of the next commit, before that begins. */
  #withdraw(slots: readonly number[]): void {
    const { table, committer } = this.#parts;
    const keys = new Set(slots.map((slot) => table.key[slot]));
    const dedupKeys = new Set(slots.map((slot) => table.dedupKey.get(slot)));
    const tube = table.tube[slots[0] ?? -1];
    const { changes } = committer;
    committer.changes = {
      ...changes,
      inserts: changes.inserts.filter(({ key }) => !keys.has(key)),
      dedup: changes.dedup.filter((each) => each.tube !== tube || !dedupKeys.has(each.key)),
    };
  }
}

function full(tube: Tube): UsherError {
  return new UsherError("TUBE_FULL", {
    message: `tube ${tube.name} has no room: its capacity is ${tube.settings.capacity} tasks`,
  });
}
