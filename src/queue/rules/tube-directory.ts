import { UsherError } from "../../base/errors.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Tube } from "./tube.ts";

/** The tubes of one engine. A tube that is being deleted has lost its name and keeps its number. */
export class TubeDirectory {
  readonly byName = new Map<string, Tube>();
  readonly byNumber = new Map<number, Tube>();
  readonly #table: TaskTable;

  constructor(table: TaskTable) {
    this.#table = table;
  }

  add(tube: Tube): void {
    this.byName.set(tube.name, tube);
    this.byNumber.set(tube.number, tube);
  }

  /** Throws TUBE_NOT_FOUND. */
  find(name: string): Tube {
    const tube = this.byName.get(name);
    if (tube !== undefined) return tube;
    throw new UsherError("TUBE_NOT_FOUND", {
      message: `there is no tube ${JSON.stringify(name)}`,
    });
  }

  /** The tube of a task. */
  of(slot: number): Tube {
    return this.byNumber.get(this.#table.tube[slot] as number) as Tube;
  }
}
