import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { UsherClient, UsherClientError } from "../../src/client/index.ts";
import {
  between,
  Connection,
  chance,
  pause,
  pick,
  refusalOf,
  type SoakTube,
  type World,
} from "./world.ts";

/** Above so many live tasks nobody puts more. */
const MOST_LIVE = 4_000;
const GROUPS = 40;
/** So many puts of the client library wait for their answers at once. */
const AT_ONCE = 20;
/** Reasons with which the client library says that a task was not put. */
const NOT_PUT = new Set(["NOT_SENT", "TUBE_FULL", "TOO_MANY_PENDING"]);

/** A task as both kinds of producers put it; times in milliseconds. */
interface SoakTask {
  readonly key: string;
  readonly group: string | undefined;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  readonly ttlMs: number | undefined;
  readonly ttrMs: number | undefined;
}

/** Puts batches by unary calls, without keys: a batch without an answer is not put again. */
export async function putBatches(world: World, name: string): Promise<void> {
  let connection = new Connection(world);
  for (let turn = 0; world.producing; turn++) {
    await pause(world.live > MOST_LIVE ? 200 : between(10, 40));
    if (world.live > MOST_LIVE) continue;
    const tube = pick(world.tubes);
    const tasks = Array.from({ length: between(1, 20) }, (_, index) =>
      newTask(tube, `${name}-${turn}-${index}`),
    );
    for (const task of tasks) tube.ledger.putSent(task.key, task.ttlMs !== undefined);
    try {
      const { ids } = await connection.queue.batchPut({
        tube: tube.name,
        tasks: tasks.map(({ key, group, priority, delayMs, ttlMs, ttrMs }) => ({
          payload: { content: { case: "text" as const, value: key } },
          ...(group === undefined ? {} : { group }),
          ...(priority === undefined ? {} : { priority }),
          ...(delayMs === undefined ? {} : { delay: durationFromMs(delayMs) }),
          ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }),
          ...(ttrMs === undefined ? {} : { ttr: durationFromMs(ttrMs) }),
        })),
      });
      for (const [index, task] of tasks.entries()) {
        tube.ledger.putAnswered(task.key, ids[index] ?? 0n, orderedGroup(tube, task));
      }
      world.counts.puts += tasks.length;
    } catch (error) {
      const reason = refusalOf(error);
      if (reason === undefined) {
        connection.die();
        connection = new Connection(world);
        continue;
      }
      if (reason !== "TUBE_FULL") throw error;
      for (const { key } of tasks) tube.ledger.putRefused(key);
    }
  }
  connection.die();
}

/** Puts by the client library, with keys: what has no answer is put again, and is there once. */
export async function putByLibrary(world: World, name: string): Promise<void> {
  await using client = UsherClient.connect(pick(world.addresses));
  const producer = client.producer({ sendTimeoutMs: 10_000, waitMs: 500 });
  let turn = 0;
  const putOne = async (): Promise<void> => {
    const tube = pick(world.tubes);
    const { key, ...fields } = newTask(tube, `${name}-${turn++}`);
    tube.ledger.putSent(key, fields.ttlMs !== undefined);
    try {
      const { id } = await producer.put(tube.name, { payload: key, dedupKey: key, ...fields });
      tube.ledger.putAnswered(key, id, orderedGroup(tube, fields));
      world.counts.puts++;
    } catch (error) {
      if (!(error instanceof UsherClientError)) throw error;
      if (NOT_PUT.has(error.reason)) tube.ledger.putRefused(key);
      else if (error.reason !== "UNANSWERED") throw error;
    }
  };
  const putAll = async (): Promise<void> => {
    while (world.producing) {
      await pause(world.live > MOST_LIVE ? 200 : between(20, 80));
      if (world.live <= MOST_LIVE) await putOne();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => putAll()));
}

function newTask({ timed, grouped }: SoakTube, key: string): SoakTask {
  return {
    key,
    group: grouped ? `g${between(1, GROUPS)}` : undefined,
    priority: timed ? between(0, 3) : undefined,
    delayMs: timed && chance(0.2) ? between(1, 2_000) : undefined,
    ttlMs: timed && chance(0.02) ? between(2_000, 10_000) : undefined,
    ttrMs: timed ? between(1_000, 3_000) : undefined,
  };
}

function orderedGroup(tube: SoakTube, { group }: Pick<SoakTask, "group">): string | undefined {
  return tube.ordered ? group : undefined;
}
