import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type {
  KeptLeases,
  NewTaskRecord,
  Payload,
  QueueChanges,
  QueueStore,
  Recovery,
  TubeKind,
} from "../../../queue/repository.ts";
import { BulkInsert, eachRange } from "../bulk-statements.ts";
import type { SqliteDatabase } from "../database.ts";

const TASK_COLUMNS = [
  "key",
  "tube",
  "id",
  "buried",
  "priority",
  "created_at",
  "ready_at",
  "expires_at",
  "ttr",
  "attempts",
  "size",
  "group_name",
  "dedup_key",
  "reason",
  "format",
  "attributes",
  "payload",
] as const;

/** QueueService's store on the embedded database. */
export function createQueueStore(database: SqliteDatabase): QueueStore {
  const { handle } = database;
  const insertTasks = new BulkInsert(handle, "INSERT", "tasks", TASK_COLUMNS);
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
  const selectPayloads = handle.prepare(
    "SELECT key, format, attributes, payload FROM tasks WHERE key BETWEEN ? AND ?",
  );
  selectPayloads.setReturnArrays(true);

  function write(changes: QueueChanges): void {
    for (const tube of changes.tubes) {
      upsertTube.run(
        tube.number,
        tube.name,
        tube.kind,
        tube.temporary ? 1 : 0,
        tube.createdAt,
        tube.nextId,
        tube.pausedUntil === 0 ? 0 : 1,
        timeOrNull(tube.pausedUntil),
        JSON.stringify(tube.settings),
      );
    }
    if (changes.inserts.length > 0) insertTasks.run(changes.inserts.flatMap(taskValues));
    for (const { key, buried, readyAt, expiresAt, attempts, reason } of changes.updates) {
      updateTask.run(buried ? 1 : 0, readyAt, timeOrNull(expiresAt), attempts, reason || null, key);
    }
    if (changes.removes.length > 0) {
      eachRange(changes.removes, (first, last) => deleteTasks.run(first, last));
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
  }

  return {
    async open(recovery) {
      database.read(() => recoverAll(database, recovery));
    },

    async commit(changes) {
      database.transaction(() => write(changes));
    },

    async payloads(keys) {
      return database.read(() => {
        const found = new Map<number, Payload>();
        eachRange([...keys], (first, last) => {
          for (const row of selectPayloads.iterate(first, last)) {
            const [key, format, attributes, value] = row as unknown as SQLOutputValue[];
            found.set(Number(key), {
              format: format as Payload["format"],
              value: value as string | Uint8Array,
              attributes: attributes === null ? undefined : JSON.parse(String(attributes)),
            });
          }
        });
        return found;
      });
    },

    async saveLeases({ leases, sessions }) {
      database.transaction(() => {
        handle.exec("DELETE FROM kept_leases; DELETE FROM kept_sessions");
        const lease = handle.prepare("INSERT INTO kept_leases VALUES (?, ?, ?, ?, ?, ?, ?)");
        for (const { token, tube, id, fence, attempts, deadline, session } of leases) {
          lease.run(token, tube, id, fence, attempts, timeOrNull(deadline), session);
        }
        const each = handle.prepare("INSERT INTO kept_sessions VALUES (?, ?, ?)");
        for (const { id, ttlMs, expiresAt } of sessions) each.run(id, ttlMs, expiresAt);
      });
    },

    async loadLeases() {
      return database.transaction((): KeptLeases => {
        const leases = handle.prepare("SELECT * FROM kept_leases").all();
        const sessions = handle.prepare("SELECT * FROM kept_sessions").all();
        handle.exec("DELETE FROM kept_leases; DELETE FROM kept_sessions");
        return {
          leases: leases.map((row) => ({
            token: String(row["token"]),
            tube: Number(row["tube"]),
            id: Number(row["id"]),
            fence: Number(row["fence"]),
            attempts: Number(row["attempts"]),
            deadline: numberOr(row["deadline"], Infinity),
            session: String(row["session"]),
          })),
          sessions: sessions.map((row) => ({
            id: String(row["id"]),
            ttlMs: Number(row["ttl"]),
            expiresAt: Number(row["expires_at"]),
          })),
        };
      });
    },
  };
}

function recoverAll({ handle }: SqliteDatabase, recovery: Recovery): void {
  const marks = handle.prepare("SELECT * FROM queue_marks").get();
  if (marks !== undefined) {
    recovery.marks({
      nextTube: Number(marks["next_tube"]),
      nextKey: Number(marks["next_key"]),
      nextFence: Number(marks["next_fence"]),
    });
  }
  for (const row of handle.prepare("SELECT * FROM tubes ORDER BY number").all()) {
    recovery.tube({
      number: Number(row["number"]),
      name: String(row["name"]),
      kind: row["kind"] as TubeKind,
      temporary: row["temporary"] === 1,
      createdAt: Number(row["created_at"]),
      nextId: Number(row["next_id"]),
      pausedUntil: row["paused"] === 1 ? numberOr(row["paused_until"], Infinity) : 0,
      settings: { retryBackoff: undefined, ...JSON.parse(String(row["settings"]), neverForNull) },
    });
  }
  const columns = TASK_COLUMNS.slice(0, TASK_COLUMNS.indexOf("format")).join(", ");
  const tasks = handle.prepare(`SELECT ${columns} FROM tasks ORDER BY key`);
  tasks.setReturnArrays(true);
  for (const row of tasks.iterate()) {
    const values = row as unknown as SQLOutputValue[];
    recovery.task({
      key: values[0] as number,
      tube: values[1] as number,
      id: values[2] as number,
      buried: values[3] === 1,
      priority: values[4] as number,
      createdAt: values[5] as number,
      readyAt: values[6] as number,
      expiresAt: numberOr(values[7], Infinity),
      ttrMs: numberOr(values[8], Infinity),
      attempts: values[9] as number,
      size: values[10] as number,
      group: (values[11] ?? "") as string,
      dedupKey: (values[12] ?? "") as string,
      reason: (values[13] ?? "") as string,
    });
  }
  for (const row of handle.prepare("SELECT * FROM dedup_keys").all()) {
    recovery.dedup({
      tube: Number(row["tube"]),
      key: String(row["key"]),
      id: Number(row["id"]),
      until: Number(row["until"]),
    });
  }
}

function taskValues(task: NewTaskRecord): SQLInputValue[] {
  const { payload } = task;
  return [
    task.key,
    task.tube,
    task.id,
    task.buried ? 1 : 0,
    task.priority,
    task.createdAt,
    task.readyAt,
    timeOrNull(task.expiresAt),
    timeOrNull(task.ttrMs),
    task.attempts,
    task.size,
    task.group || null,
    task.dedupKey || null,
    task.reason || null,
    payload.format,
    payload.attributes === undefined ? null : JSON.stringify(payload.attributes),
    payload.value,
  ];
}

/** JSON writes Infinity as null; of a tube's settings only times are ever infinite. */
function neverForNull(_key: string, value: unknown): unknown {
  return value === null ? Infinity : value;
}

function timeOrNull(ms: number): number | null {
  return ms === Infinity ? null : ms;
}

function numberOr(value: SQLOutputValue | undefined, otherwise: number): number {
  return value === null || value === undefined ? otherwise : Number(value);
}
