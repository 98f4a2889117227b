import { UsherError } from "../../base/errors.ts";
import type { Payload } from "../repository.ts";
import type { Alarm } from "../structures/deadlines.ts";
import type { Link } from "../structures/linked-list.ts";
import type { Core } from "./core.ts";
import type { Features } from "./kinds.ts";
import { state } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { type TaskView, viewOf } from "./views.ts";

/** What a put asks for. What is undefined takes the tube's default. */
export interface NewTask {
  readonly payload: Payload;
  /** Bytes that payload and attributes take in an answer. */
  readonly size: number;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  readonly ttlMs: number | undefined;
  readonly ttrMs: number | undefined;
  /** Empty: none. */
  readonly group: string;
  /** Empty: none. */
  readonly dedupKey: string;
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
   * Of a put of one: the task as it was when that became durable, or, of a duplicate, the first as
   * it is. Not there if that is gone.
   */
  readonly task?: TaskView;
}

/** A put that waits for room. */
export interface WaitingPut {
  readonly tasks: readonly NewTask[];
  /** There is room now. */
  readonly admit: () => void;
  readonly reject: (error: unknown) => void;
}

export class Putting {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Puts tasks, all or none, durable when the promise resolves. Rejects with TUBE_NOT_FOUND,
   * INVALID_PARAMS for what the tube's kind lacks, STORAGE_FULL, TUBE_FULL when there was no room in
   * time.
   */
  put(tubeName: string, tasks: readonly NewTask[], options: PutOptions): Promise<PutOutcome> {
    const tube = this.#core.tube(tubeName);
    checkAgainstKind(tube.features, tasks, options.field);
    if (!tube.temporary && this.#core.store.isFull()) throw new UsherError("STORAGE_FULL");
    tube.calls.put++;
    if (this.#canAdmit(tube, tasks)) return this.#admitNow(tube, tasks);
    if (this.#core.closing !== undefined) throw this.#core.closing;
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
      const { deadlines, clock } = this.#core;
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
          // Those behind it may have room.
          this.#core.touch(tube);
        },
      };
      const onAbort = (): void => {
        waiting.reject(options.signal?.reason);
        this.#core.serveTouched();
      };
      link = tube.puts.push(waiting);
      alarm = deadlines.setAlarm(clock.now() + options.waitMs, () => waiting.reject(full(tube)));
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #admitNow(tube: Tube, tasks: readonly NewTask[]): Promise<PutOutcome> {
    const core = this.#core;
    const now = core.clock.now();
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
      // All or none: where a first turns out not to be kept, its duplicate's put is not either.
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
          ids.push(core.table.id[slot] as number);
        } else {
          ids.push(first.id);
          duplicates.push(index);
          first.followers?.push(firstFailed);
        }
      }
      core.committer.add({
        committed: () => {
          if (over) return;
          const durableAt = core.clock.now();
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
    const { table, numbers, committer } = this.#core;
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
    tube.log.append(id, slot);
    tube.order.join(slot, task.group);
    if (task.dedupKey !== "") {
      table.dedupKey.set(slot, task.dedupKey);
      this.#core.dedup.note(tube, task.dedupKey, id, now);
    }
    this.#core.payloads.keep(tube, slot, task.payload);
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

  /** A task whose put is durable is there for others. */
  #appear(tube: Tube, slot: number, now: number): void {
    const core = this.#core;
    const { dedupKey, readyAt } = core.table;
    const key = dedupKey.size > 0 ? dedupKey.get(slot) : undefined;
    if (key !== undefined) core.dedup.putKept(tube, key);
    const delayed = (readyAt[slot] as number) > now;
    core.setState(tube, slot, "put", delayed ? state.DELAYED : state.READY);
    core.place(tube, slot);
    core.announce(tube, slot, "PUT");
  }

  /** With the task of a put of one, before anyone who waits is served. */
  #shown(tube: Tube, outcome: PutOutcome): PutOutcome {
    const slot = outcome.ids.length === 1 ? tube.log.find(outcome.ids[0] as number) : -1;
    return slot === -1 ? outcome : { ...outcome, task: viewOf(this.#core, tube, slot) };
  }

  #takeBack(tube: Tube, slot: number, error: unknown): void {
    const { table, dedup } = this.#core;
    const key = table.dedupKey.get(slot);
    table.dedupKey.delete(slot);
    this.#core.forget(tube, slot);
    if (key !== undefined) dedup.putFailed(tube, key, error);
  }

  /** Takes tasks out of the next commit, which has not begun. */
  #withdraw(slots: readonly number[]): void {
    const { table, committer } = this.#core;
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

/** Throws INVALID_PARAMS naming each field that a tube of this kind does not have. */
function checkAgainstKind(
  has: Features,
  tasks: readonly NewTask[],
  field: (index: number) => string,
): void {
  if (has.timed && has.grouped) return;
  for (const [index, task] of tasks.entries()) {
    const lacking: string[] = [];
    if (!has.timed) {
      if (task.priority !== undefined) lacking.push("priority");
      if (task.delayMs !== undefined) lacking.push("delay");
      if (task.ttlMs !== undefined) lacking.push("ttl");
      if (task.ttrMs !== undefined) lacking.push("ttr");
    }
    if (!has.grouped && task.group !== "") lacking.push("group");
    if (lacking.length === 0) continue;
    throw new UsherError("INVALID_PARAMS", {
      message: `a tube of this kind has no ${lacking.join(", ")}`,
      violations: lacking.map((name) => ({
        field: `${field(index)}.${name}`,
        description: "a tube of this kind does not have it",
      })),
    });
  }
}
