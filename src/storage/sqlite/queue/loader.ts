import type { DatabaseSync } from "node:sqlite";
import type { Recovery } from "../../../queue/repository.ts";
import { type Columns, taskColumns, toDedup, toMarks, toTask, toTube } from "./rows.ts";

/** Reads all queues back, but for the payloads. */
export function loadQueues(handle: DatabaseSync, recovery: Recovery): void {
  const marks = handle.prepare("SELECT * FROM queue_marks").get();
  if (marks !== undefined) recovery.marks(toMarks(marks));
  for (const row of handle.prepare("SELECT * FROM tubes ORDER BY number").all()) {
    recovery.tube(toTube(row));
  }
  const tasks = handle.prepare(`SELECT ${taskColumns.join(", ")} FROM tasks ORDER BY key`);
  tasks.setReturnArrays(true);
  for (const row of tasks.iterate()) recovery.task(toTask(row as unknown as Columns));
  for (const row of handle.prepare("SELECT * FROM dedup_keys").all()) {
    recovery.dedup(toDedup(row));
  }
}
