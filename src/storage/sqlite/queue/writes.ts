import type { DatabaseSync } from "node:sqlite";
import type { QueueChanges } from "../../../queue/repository.ts";
import { ascending, eachRunOfKeys } from "../../key-runs.ts";
import { BulkInsert } from "../bulk-insert.ts";
import { payloadColumns, taskColumns, taskValues, timeOrNull, tubeValues } from "./rows.ts";

/** Prepares what writes one group commit, as part of the transaction under way. */
export function prepareWrites(handle: DatabaseSync): (changes: QueueChanges) => void {
  const insertTasks = new BulkInsert(handle, "INSERT", "tasks", [
    ...taskColumns,
    ...payloadColumns,
  ]);
  const insertDedup = new BulkInsert(handle, "INSERT OR REPLACE", "dedup_keys", [
    "tube",
    "key",
    "id",
    "until",
  ]);
  const upsertTube = handle.prepare(
    `INSERT INTO tubes
       (number, name, kind, temporary, created_at, next_id, paused, paused_until, settings)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (number) DO UPDATE SET
       next_id = excluded.next_id, paused = excluded.paused, paused_until = excluded.paused_until,
       settings = excluded.settings`,
  );
  const deleteTube = handle.prepare("DELETE FROM tubes WHERE number = ?");
  const deleteDedupOfTube = handle.prepare("DELETE FROM dedup_keys WHERE tube = ?");
  const updateTask = handle.prepare(
    `UPDATE tasks SET buried = ?, ready_at = ?, expires_at = ?, attempts = ?, reason = ?
     WHERE key = ?`,
  );
  const deleteTasks = handle.prepare("DELETE FROM tasks WHERE key BETWEEN ? AND ?");
  const deleteDedup = handle.prepare("DELETE FROM dedup_keys WHERE tube = ? AND key = ?");
  const upsertMarks = handle.prepare(
    `INSERT OR REPLACE INTO queue_marks (one, next_tube, next_key, next_fence)
     VALUES (1, ?, ?, ?)`,
  );

  return (changes) => {
    for (const tube of changes.tubes) upsertTube.run(...tubeValues(tube));
    if (changes.inserts.length > 0) insertTasks.run(changes.inserts.flatMap(taskValues));
    for (const { key, buried, readyAt, expiresAt, attempts, reason } of changes.updates) {
      updateTask.run(buried ? 1 : 0, readyAt, timeOrNull(expiresAt), attempts, reason || null, key);
    }
    if (changes.removes.length > 0) {
      const sorted = changes.removes.sort(ascending);
      eachRunOfKeys(sorted, (first, last) => deleteTasks.run(first, last));
    }
    for (const { tube, key } of changes.removedDedup) deleteDedup.run(tube, key);
    if (changes.dedup.length > 0) {
      insertDedup.run(changes.dedup.flatMap(({ tube, key, id, until }) => [tube, key, id, until]));
    }
    for (const number of changes.removedTubes) {
      deleteTube.run(number);
      deleteDedupOfTube.run(number);
    }
    if (changes.marks !== undefined) {
      const { nextTube, nextKey, nextFence } = changes.marks;
      upsertMarks.run(nextTube, nextKey, nextFence);
    }
  };
}
