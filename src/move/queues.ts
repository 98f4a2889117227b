import { SHARDS } from "../cluster/registry.ts";
import { shardOfTube } from "../cluster/shards.ts";
import {
  type DedupRecord,
  emptyChanges,
  type Marks,
  type NewTaskRecord,
  type QueueChanges,
  type QueueStore,
  type TaskRecord,
  type TubeRecord,
} from "../queue/repository.ts";

const BATCH = 500;
/** The most that the payloads of a batch have together; a larger one goes alone. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** All queues of an embedded instance, without payloads. */
export interface Queues {
  readonly marks: Marks | undefined;
  readonly tubes: readonly TubeRecord[];
  /** In put order. */
  readonly tasks: readonly TaskRecord[];
  readonly dedup: readonly DedupRecord[];
}

/** Reads all but the payloads. Tasks and keys that a deleted tube has left are passed over. */
export async function readQueues(store: QueueStore): Promise<Queues> {
  let marks: Marks | undefined;
  const tubes = new Map<number, TubeRecord>();
  const tasks: TaskRecord[] = [];
  const dedup: DedupRecord[] = [];
  await store.open({
    marks: (found) => {
      marks = found;
    },
    tube: (tube) => tubes.set(tube.number, tube),
    task: (task) => {
      if (tubes.has(task.tube)) tasks.push(task);
    },
    dedup: (record) => {
      if (tubes.has(record.tube)) dedup.push(record);
    },
  });
  return { marks, tubes: [...tubes.values()], tasks, dedup };
}

export function countQueues({ tubes, tasks, dedup }: Queues): Record<string, number> {
  return { tubes: tubes.length, tasks: tasks.length, "dedup keys": dedup.length };
}

/**
 * Writes queues to the shards of their tubes. Numbers, keys and ids stay: they are unique in the
 * whole, and so in each shard.
 */
export async function writeQueues(
  queues: Queues,
  payloads: QueueStore["payloads"],
  shards: ReadonlyMap<number, QueueStore>,
  onTasks: (done: number) => void,
): Promise<void> {
  const { marks, tubes, tasks, dedup } = queues;
  const shardOf = new Map(tubes.map(({ number, name }) => [number, shardOfTube(name)]));
  const changesOf = new Map<number, QueueChanges>();
  const changesFor = (tube: number): QueueChanges => {
    const shard = shardOf.get(tube) as number;
    const changes = changesOf.get(shard) ?? emptyChanges();
    changesOf.set(shard, changes);
    return changes;
  };
  const flush = async (): Promise<void> => {
    const all = [...changesOf];
    changesOf.clear();
    await Promise.all(all.map(([shard, changes]) => shards.get(shard)?.commit(changes)));
  };

  // Every shard gets the marks, since a later tube must not get the number of an earlier one.
  if (marks !== undefined) {
    for (let shard = 0; shard < SHARDS; shard++) {
      changesOf.set(shard, { ...emptyChanges(), marks });
    }
  }
  for (const tube of tubes) changesFor(tube.number).tubes.push(tube);
  await flush();

  for (let at = 0; at < tasks.length; ) {
    const batch = batchAt(tasks, at);
    const found = await payloads(batch.map(({ key }) => key));
    for (const task of batch) {
      const payload = found.get(task.key);
      if (payload === undefined) throw new Error(`task ${task.key} has no payload`);
      const whole: NewTaskRecord = { ...task, payload };
      changesFor(task.tube).inserts.push(whole);
    }
    await flush();
    at += batch.length;
    onTasks(at);
  }

  for (let at = 0; at < dedup.length; at += BATCH) {
    for (const record of dedup.slice(at, at + BATCH)) changesFor(record.tube).dedup.push(record);
    await flush();
  }
}

function batchAt(tasks: readonly TaskRecord[], start: number): readonly TaskRecord[] {
  let end = start;
  let bytes = 0;
  while (end < tasks.length && end - start < BATCH) {
    bytes += (tasks[end] as TaskRecord).size;
    if (end > start && bytes > BATCH_BYTES) break;
    end++;
  }
  return tasks.slice(start, end);
}
