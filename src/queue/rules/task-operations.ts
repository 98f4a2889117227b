import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { QueueStore } from "../repository.ts";
import { type State, state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import { AnswerSize } from "./answer-size.ts";
import type { Committer } from "./committer.ts";
import { type DurableChanges, MOST_IN_ONE_COMMIT, type Step } from "./durable-changes.ts";
import { type TaskView, viewOf, withPayloads } from "./task-view.ts";
import { canHappen } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { announceTruncated } from "./watching.ts";

interface Parts {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly committer: Committer;
}

export interface TaskPage {
  readonly tasks: TaskView[];
  /** The id to go on after; undefined: that was all. */
  readonly after: number | undefined;
}

/** What operators do with tasks by their ids, without a lease. */
export class TaskOperations {
  readonly #parts: Parts;
  readonly #changes: DurableChanges;

  constructor(parts: Parts, changes: DurableChanges) {
    this.#parts = parts;
    this.#changes = changes;
  }

  /** One task with its payload. Rejects with TASK_NOT_FOUND. */
  async get(tube: Tube, id: number): Promise<TaskView> {
    const slot = this.#find(tube, id);
    const [view] = await withPayloads(this.#parts, [viewOf(this.#parts, tube, slot)], [slot]);
    if (view === undefined) throw new UsherError("TASK_NOT_FOUND");
    return view;
  }

  /** Up to `size` tasks with ids above `after`, by id, of one state or any. */
  async list(tube: Tube, which: State | undefined, after: number, size: number): Promise<TaskPage> {
    const { table } = this.#parts;
    const slots: number[] = [];
    const room = new AnswerSize(this.#parts.table, tube);
    let more = false;
    tube.index.walk(after + 1, (slot) => {
      const is = table.state[slot];
      if (is === state.NONE || (which !== undefined && is !== which)) return true;
      if (slots.length === size || !room.add(slot)) {
        more = true;
        return false;
      }
      slots.push(slot);
      return true;
    });
    const last = slots.at(-1);
    const lastId = last === undefined ? undefined : (table.id[last] as number);
    const views = slots.map((slot) => viewOf(this.#parts, tube, slot));
    const tasks = await withPayloads(this.#parts, views, slots);
    return { tasks, after: more ? lastId : undefined };
  }

  /** Up to `count` buried tasks back to READY, oldest first; resolves with their number. */
  async kick(tube: Tube, count: number): Promise<number> {
    tube.calls.kick++;
    let kicked = 0;
    while (kicked < count) {
      const steps = this.#kickNext(tube, Math.min(count - kicked, MOST_IN_ONE_COMMIT));
      if (steps.length === 0) break;
      await this.#changes.run(steps);
      kicked += steps.length;
    }
    return kicked;
  }

  #kickNext(tube: Tube, count: number): Step[] {
    const steps: Step[] = [];
    while (steps.length < count) {
      const slot = tube.buried.peek();
      if (slot === undefined) break;
      const progress = this.#changes.progressOf(slot);
      const kicked = { ...progress, buried: false, readyAt: 0, attempts: 0, reason: "" };
      steps.push(this.#changes.move(tube, slot, "kick", state.READY, kicked, "KICKED"));
    }
    return steps;
  }

  /** Buries a ready or delayed task. Rejects with TASK_NOT_FOUND, TASK_NOT_BURIABLE. */
  async bury(tube: Tube, id: number, reason: string): Promise<TaskView> {
    const { table } = this.#parts;
    const slot = this.#find(tube, id);
    const from = table.state[slot] as State;
    if (from === state.LEASED || table.held[slot] === 1 || !canHappen("bury", from)) {
      throw new UsherError("TASK_NOT_BURIABLE");
    }
    tube.calls.bury++;
    const progress = { ...this.#changes.progressOf(slot), buried: true, reason };
    return this.#changes.runAndView(
      this.#changes.move(tube, slot, "bury", state.BURIED, progress, "BURIED"),
    );
  }

  /** Removes a task in whatever state. Rejects with TASK_NOT_FOUND. */
  async delete(tube: Tube, id: number): Promise<TaskView> {
    const slot = this.#find(tube, id);
    // Another change of the task is on its way to the store. It comes first, and then the deletion.
    if (this.#parts.table.held[slot] === 1) {
      await this.#parts.committer.commit();
      return this.delete(tube, id);
    }
    tube.calls.delete++;
    return this.#changes.runAndView(this.#changes.end(tube, slot, "delete", "DELETED"));
  }

  /** Removes every task that is there now; resolves with their number when that is durable. */
  async truncate(tube: Tube): Promise<number> {
    const end = tube.nextId;
    let removed = 0;
    for (let left = true; left; ) {
      const { steps, more } = this.#changes.endNext(tube, end);
      left = more;
      removed += steps.length;
      if (!left) steps.push(this.#announcement(tube));
      await (steps.length > 0 ? this.#changes.run(steps) : this.#parts.committer.commit());
    }
    return removed;
  }

  /** The last step of a truncation. */
  #announcement(tube: Tube): Step {
    const commit = (): void => announceTruncated(tube, this.#parts.clock.now());
    return { tube, slot: -1, commit, undo: () => false };
  }

  #find(tube: Tube, id: number): number {
    const slot = tube.index.find(id);
    if (slot === -1 || this.#parts.table.state[slot] === state.NONE) {
      throw new UsherError("TASK_NOT_FOUND", { message: `tube ${tube.name} has no task ${id}` });
    }
    return slot;
  }
}
