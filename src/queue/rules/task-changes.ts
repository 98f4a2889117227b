import type { TaskProgress } from "../repository.ts";
import { type Core, RETRY_AFTER_FAILURE_MS } from "./core.ts";
import type { Lease } from "./leases.ts";
import { type State, state, type TaskEvent } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { type TaskView, viewOf } from "./views.ts";
import type { Change } from "./watching.ts";

type EndingChange = Extract<Change, "ACKED" | "DELETED" | "EXPIRED">;

/** One durable change of one task, begun and not yet committed. */
export interface Step {
  readonly tube: Tube;
  readonly slot: number;
  /** Makes the change seen. */
  commit(): void;
  /** The store did not take it: all is as before. Returns whether the task is still there. */
  undo(): boolean;
}

/**
 * How many tasks of a call about a whole tube go into one commit. The calls of others wait for as
 * long as that takes, and a database gives a transaction only so much time.
 */
export const MOST_IN_ONE_COMMIT = 10_000;

/** Begins durable changes of tasks, and sees them through their commit. */
export class TaskChanges {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Begins to remove a task; if it is leased, the lease is void from now on. Without a change
   * to tell it counts as nothing and nobody who watches is told.
   */
  end(tube: Tube, slot: number, event: TaskEvent, change: EndingChange | undefined): Step {
    const core = this.#core;
    const lease = this.#seize(tube, slot);
    if (!tube.temporary) {
      const { changes } = core.committer;
      changes.removes.push(core.table.key[slot] as number);
      changes.removedBytes += core.table.size[slot] as number;
    }
    return {
      tube,
      slot,
      commit: () => {
        if (change === "EXPIRED") tube.expired++;
        else if (change !== undefined) tube.done++;
        if (change !== undefined) core.announce(tube, slot, change);
        if (lease !== undefined) core.freeGroup(tube, slot);
        core.setState(tube, slot, event, state.DONE);
        core.forget(tube, slot);
      },
      undo: () => this.#restore(tube, slot, lease),
    };
  }

  /** Begins to give a task another state; if it is leased, the lease is void from now on. */
  move(
    tube: Tube,
    slot: number,
    event: TaskEvent,
    to: State,
    progress: TaskProgress,
    change: Change,
  ): Step {
    const core = this.#core;
    const lease = this.#seize(tube, slot);
    if (!tube.temporary) core.committer.changes.updates.push(progress);
    return {
      tube,
      slot,
      commit: () => {
        core.setProgress(slot, progress);
        core.setState(tube, slot, event, to);
        if (lease !== undefined) core.freeGroup(tube, slot);
        if (core.unhold(tube, slot)) core.announce(tube, slot, change);
      },
      undo: () => this.#restore(tube, slot, lease),
    };
  }

  /**
   * Begins to remove tasks of a tube with ids below `end`, as many as one commit may. `more`: others
   * are left, or are on their way to the store and can be removed when they are back.
   */
  endNext(tube: Tube, end: number): { readonly steps: Step[]; readonly more: boolean } {
    const { slots, more } = this.#core.tasksInPlace(tube, end, MOST_IN_ONE_COMMIT);
    return { steps: slots.map((slot) => this.end(tube, slot, "delete", undefined)), more };
  }

  /** What the store keeps of the task as it is. */
  progressOf(slot: number): TaskProgress {
    const { table } = this.#core;
    return {
      key: table.key[slot] as number,
      buried: table.state[slot] === state.BURIED,
      readyAt: table.readyAt[slot] as number,
      expiresAt: table.expiresAt[slot] as number,
      attempts: table.attempts[slot] as number,
      reason: table.reason.get(slot) ?? "",
    };
  }

  /** Resolves when all is durable and seen. Rejects with STORAGE_UNAVAILABLE: all is as before. */
  run(steps: readonly Step[]): Promise<void> {
    if (steps.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#core.committer.add({
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
    const core = this.#core;
    const { tube, slot } = step;
    return new Promise((resolve, reject) => {
      core.committer.add({
        committed: () => {
          const before = viewOf(core, tube, slot, state.DONE);
          step.commit();
          const gone = tube.log.find(before.id) !== slot;
          resolve(gone ? before : viewOf(core, tube, slot));
        },
        failed: (error) => {
          step.undo();
          reject(error);
        },
      });
    });
  }

  /** Nobody waits for these: where the store does not take them they are due again soon. */
  runInBackground(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    const { committer, deadlines, clock } = this.#core;
    committer.add({
      committed: () => {
        for (const step of steps) step.commit();
      },
      failed: () => {
        const again = clock.now() + RETRY_AFTER_FAILURE_MS;
        for (const step of steps.toReversed()) {
          if (step.undo()) deadlines.setTask(step.slot, again);
        }
      },
    });
  }

  #seize(tube: Tube, slot: number): Lease | undefined {
    const lease = this.#core.table.lease[slot];
    this.#core.hold(tube, slot);
    if (lease !== undefined) this.#core.endLease(lease);
    return lease;
  }

  #restore(tube: Tube, slot: number, lease: Lease | undefined): boolean {
    if (lease !== undefined) this.#core.restoreLease(lease);
    return this.#core.unhold(tube, slot);
  }
}
