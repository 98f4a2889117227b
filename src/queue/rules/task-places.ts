import type { Clock } from "../../base/clock.ts";
import type { TaskProgress } from "../repository.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Lease, Leases } from "../structures/leases.ts";
import type { PayloadCache } from "../structures/payload-cache.ts";
import { type State, state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import type { Dedup } from "./dedup.ts";
import type { Serving } from "./serving.ts";
import { assertTransition, type TaskEvent } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { announce, type Change } from "./watching.ts";

/** A background change that the store did not take is tried again after this long. */
export const RETRY_AFTER_FAILURE_MS = 1_000;

interface Parts {
  readonly table: TaskTable;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly leases: Leases;
  readonly payloads: PayloadCache;
  readonly committer: Committer;
  readonly dedup: Dedup;
  readonly serving: Serving;
}

/**
 * The ways in which a task changes its state and its place in the orders, and a lease its task.
 *
 * A change that must be durable goes: `hold` (the task leaves every order, its state stays), the
 * commit, then `unhold` in the new state, or in the old one if the store did not take it.
 */
export class TaskPlaces {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Puts a task where its state belongs. */
  place(tube: Tube, slot: number): void {
    const { table, deadlines } = this.#parts;
    switch (table.state[slot]) {
      case state.READY:
        tube.order.add(slot);
        tube.oldest.becameReady(table.id[slot] as number);
        deadlines.setTask(slot, table.expiresAt[slot] as number);
        this.#parts.serving.touch(tube);
        break;
      case state.DELAYED:
        deadlines.setTask(
          slot,
          Math.min(table.readyAt[slot] as number, table.expiresAt[slot] as number),
        );
        break;
      case state.LEASED:
        deadlines.setTask(slot, (table.lease[slot] as Lease).deadline);
        break;
      case state.BURIED:
        tube.buried.push(slot);
        deadlines.setTask(slot, table.expiresAt[slot] as number);
        break;
    }
  }

  /** Takes a task from where its state put it. */
  displace(tube: Tube, slot: number): void {
    const { table, deadlines } = this.#parts;
    deadlines.clearTask(slot);
    if (table.state[slot] === state.READY) tube.order.remove(slot);
    if (table.state[slot] === state.BURIED) {
      tube.buried.removeAt((table.place[slot] as number) - 1);
      table.place[slot] = 0;
    }
  }

  /** Gives a task another state. It must be in no place. */
  setState(tube: Tube, slot: number, event: TaskEvent, to: State): void {
    const { table } = this.#parts;
    const from = table.state[slot] as State;
    assertTransition(event, from, to);
    table.state[slot] = to;
    (tube.counts[from] as number)--;
    (tube.counts[to] as number)++;
  }

  /** Notes what a committed change made of a task. */
  setProgress(slot: number, progress: TaskProgress): void {
    const { table } = this.#parts;
    table.readyAt[slot] = progress.readyAt;
    table.expiresAt[slot] = progress.expiresAt;
    table.attempts[slot] = progress.attempts;
    if (progress.reason !== "") table.reason.set(slot, progress.reason);
    else if (table.reason.size > 0) table.reason.delete(slot);
  }

  /** Takes a task out of every order until its change is durable. */
  hold(tube: Tube, slot: number): void {
    this.displace(tube, slot);
    this.#parts.table.held[slot] = 1;
  }

  /**
   * Ends a hold: the task takes the place of its state. It goes instead if its tube is gone
   * meanwhile. Returns whether the task is still there.
   */
  unhold(tube: Tube, slot: number): boolean {
    this.#parts.table.held[slot] = 0;
    if (tube.gone) {
      this.discard(tube, slot);
      return false;
    }
    this.place(tube, slot);
    return true;
  }

  /** Makes a lease void; its task stays LEASED until it gets another state. */
  endLease(lease: Lease): void {
    this.#parts.leases.remove(lease);
    this.#parts.table.lease[lease.slot] = undefined;
    lease.session?.leases.delete(lease);
    lease.holder?.leaseEnded(lease);
  }

  /** Undoes `endLease`: the change that ended it was not kept. */
  restoreLease(lease: Lease): void {
    const { leases, table, clock } = this.#parts;
    leases.add(lease);
    table.lease[lease.slot] = lease;
    if (lease.session?.over) lease.deadline = clock.monotonic();
    lease.session?.leases.add(lease);
    lease.holder?.leaseRestored(lease);
  }

  /** A leased task gets another state: its group can go on with the next. */
  freeGroup(tube: Tube, slot: number): void {
    tube.order.free(slot);
    this.#parts.serving.touch(tube);
  }

  /** Forgets a task whose removal is durable, or that never was. It must be in no place. */
  forget(tube: Tube, slot: number): void {
    const { table, dedup, payloads, serving } = this.#parts;
    (tube.counts[table.state[slot] as number] as number)--;
    tube.index.remove(table.id[slot] as number);
    tube.order.leave(slot);
    const key = table.dedupKey.get(slot);
    if (key !== undefined) dedup.taskGone(tube, key);
    payloads.drop(tube, slot);
    table.free(slot);
    serving.touch(tube);
  }

  /** Removes a task for which nobody waits. It must be in no place. */
  discard(tube: Tube, slot: number): void {
    const { table, committer, deadlines, clock } = this.#parts;
    const lease = table.lease[slot];
    if (lease !== undefined) this.endLease(lease);
    if (table.state[slot] === state.LEASED) this.freeGroup(tube, slot);
    const key = table.key[slot] as number;
    const size = table.size[slot] as number;
    this.forget(tube, slot);
    if (tube.temporary) return;
    const remove = (): void => {
      committer.changes.removes.push(key);
      committer.changes.removedBytes += size;
      committer.add({
        committed() {},
        failed: () => deadlines.setAlarm(clock.monotonic() + RETRY_AFTER_FAILURE_MS, remove),
      });
    };
    remove();
  }

  /**
   * Up to `most` tasks of a tube with ids below `end` that are neither on their way to the store nor
   * back from it. `more`: there are others.
   */
  inPlace(tube: Tube, end: number, most: number): { slots: number[]; more: boolean } {
    const { table } = this.#parts;
    const slots: number[] = [];
    let more = false;
    tube.index.walk(0, (slot) => {
      if ((table.id[slot] as number) >= end) return false;
      if (table.held[slot] === 1 || slots.length === most) more = true;
      else if (table.state[slot] !== state.NONE) slots.push(slot);
      return slots.length < most || !more;
    });
    return { slots, more };
  }

  /** Tells those who watch the tube. */
  announce(tube: Tube, slot: number, change: Change): void {
    if (tube.watchers.size === 0) return;
    announce(this.#parts, tube, slot, change, this.#parts.clock.now());
  }
}
