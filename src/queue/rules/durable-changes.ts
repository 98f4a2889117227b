import type { Clock } from "../../base/clock.ts";
import type { TaskProgress } from "../repository.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Lease } from "../structures/leases.ts";
import { type State, state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import type { TaskPlaces } from "./task-places.ts";
import { RETRY_AFTER_FAILURE_MS } from "./task-places.ts";
import { type TaskView, viewOf } from "./task-view.ts";
import type { TaskEvent } from "./transitions.ts";
import type { TaskTotals, Tube } from "./tube.ts";
import type { Change } from "./watching.ts";

interface Parts {
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly places: TaskPlaces;
}

type EndingChange = Extract<Change, "ACKED" | "DELETED" | "EXPIRED">;

/** One durable change of one task, begun and not yet committed. */
export interface Step {
  readonly tube: Tube;
  readonly slot: number;
  /** Makes the change visible. */
  commit(): void;
  /** The store did not take it: all is as before. Returns whether the task is still there. */
  undo(): boolean;
}

/**
 * A call about a whole tube puts at most this many tasks into one commit. Other calls wait while it
 * runs, and a database limits the time of a transaction.
 */
export const MOST_IN_ONE_COMMIT = 10_000;

/** Begins durable changes of tasks, and sees them through their commit. */
export class DurableChanges {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Begins to remove a task. Its lease, if it has one, is void from now on. Without a `change` the
   * removal is not counted and watchers are not told.
   */
  end(tube: Tube, slot: number, event: TaskEvent, change: EndingChange | undefined): Step {
    const parts = this.#parts;
    const lease = this.#seize(tube, slot);
    if (!tube.temporary) {
      const { table, committer } = parts;
      committer.changes.removes.push(table.key[slot] as number);
      committer.changes.removedBytes += table.size[slot] as number;
    }
    return {
      tube,
      slot,
      commit: () => {
        if (change === "EXPIRED") tube.expired++;
        else if (change !== undefined) tube.done++;
        if (change === "ACKED") tube.totals.acked++;
        else if (change === "DELETED") tube.totals.deleted++;
        if (change !== undefined) parts.places.announce(tube, slot, change);
        if (lease !== undefined) parts.places.freeGroup(tube, slot);
        parts.places.setState(tube, slot, event, state.DONE);
        parts.places.forget(tube, slot);
      },
      undo: () => this.#restore(tube, slot, lease),
    };
  }

  /** Begins to give a task another state. Its lease, if it has one, is void from now on. */
  move(
    tube: Tube,
    slot: number,
    event: TaskEvent,
    to: State,
    progress: TaskProgress,
    change: Change,
  ): Step {
    const parts = this.#parts;
    const lease = this.#seize(tube, slot);
    if (!tube.temporary) parts.committer.changes.updates.push(progress);
    return {
      tube,
      slot,
      commit: () => {
        parts.places.setProgress(slot, progress);
        parts.places.setState(tube, slot, event, to);
        count(tube.totals, change);
        if (lease !== undefined) parts.places.freeGroup(tube, slot);
        if (parts.places.unhold(tube, slot)) parts.places.announce(tube, slot, change);
      },
      undo: () => this.#restore(tube, slot, lease),
    };
  }

  /**
   * Begins to remove tasks of a tube with ids below `end`, as many as one commit may. `more`: others
   * are left, or are on their way to the store and can be removed when they are back.
   */
  endNext(tube: Tube, end: number): { readonly steps: Step[]; readonly more: boolean } {
    const { slots, more } = this.#parts.places.inPlace(tube, end, MOST_IN_ONE_COMMIT);
    return { steps: slots.map((slot) => this.end(tube, slot, "delete", undefined)), more };
  }

  /** What the store keeps of the task as it is. */
  progressOf(slot: number): TaskProgress {
    const { table } = this.#parts;
    return {
      key: table.key[slot] as number,
      buried: table.state[slot] === state.BURIED,
      readyAt: table.readyAt[slot] as number,
      expiresAt: table.expiresAt[slot] as number,
      attempts: table.attempts[slot] as number,
      reason: table.reason.get(slot) ?? "",
    };
  }

  /**
   * Resolves when all is durable and visible. Rejects with STORAGE_UNAVAILABLE: all is as before.
   */
  run(steps: readonly Step[]): Promise<void> {
    if (steps.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#parts.committer.add({
        committed: () => {
          for (const step of steps) step.commit();
          resolve();
        },
        failed: (error) => {
          for (const step of steps.toReversed()) step.undo();
          reject(error);
        },
      });
    });
  }

  /** As `run` for one step; resolves with the task as it is afterwards. */
  runAndView(step: Step): Promise<TaskView> {
    const parts = this.#parts;
    const { tube, slot } = step;
    return new Promise((resolve, reject) => {
      parts.committer.add({
        committed: () => {
          const before = viewOf(parts, tube, slot, state.DONE);
          step.commit();
          const gone = tube.index.find(before.id) !== slot;
          resolve(gone ? before : viewOf(parts, tube, slot));
        },
        failed: (error) => {
          step.undo();
          reject(error);
        },
      });
    });
  }

  /** Runs steps for which nobody waits. Those that the store does not take are due again soon. */
  runInBackground(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    const { committer, deadlines, clock } = this.#parts;
    committer.add({
      committed: () => {
        for (const step of steps) step.commit();
      },
      failed: () => {
        const again = clock.monotonic() + RETRY_AFTER_FAILURE_MS;
        for (const step of steps.toReversed()) {
          if (step.undo()) deadlines.setTask(step.slot, again);
        }
      },
    });
  }

  #seize(tube: Tube, slot: number): Lease | undefined {
    const lease = this.#parts.table.lease[slot];
    this.#parts.places.hold(tube, slot);
    if (lease !== undefined) this.#parts.places.endLease(lease);
    return lease;
  }

  #restore(tube: Tube, slot: number, lease: Lease | undefined): boolean {
    if (lease !== undefined) this.#parts.places.restoreLease(lease);
    return this.#parts.places.unhold(tube, slot);
  }
}

function count(totals: TaskTotals, change: Change): void {
  if (change === "RELEASED") totals.released++;
  else if (change === "BURIED") totals.buried++;
  else if (change === "KICKED") totals.kicked++;
}
