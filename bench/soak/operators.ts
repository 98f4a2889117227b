import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { MemoryWatch } from "./memory-watch.ts";
import { Connection, chance, pause, pick, refusalOf, type World } from "./world.ts";

export interface Operation {
  readonly world: World;
  readonly memory: MemoryWatch;
  /** Whether servers are still ended now and then. */
  readonly disturbed: () => boolean;
  /** Where faults that operators see go. */
  readonly faults: string[];
}

const LOOK_MS = 500;
const MEMORY_MS = 10_000;
const MOST_FAULTS = 50;

/** Kicks, pauses, watches capacities and memory, until the work is over. */
export async function operate(operation: Operation): Promise<void> {
  await look(operation);
  // What is paused now would never be drained.
  await pause(1_000);
}

async function look({ world, memory, disturbed, faults }: Operation): Promise<void> {
  let connection = new Connection(world);
  let memoryAt = performance.now() + MEMORY_MS;
  while (world.working) {
    await pause(LOOK_MS);
    try {
      await lookOnce(connection, world, faults);
      const tube = pick(world.tubes).name;
      if (chance(0.3)) await connection.queue.kickTasks({ tube, count: 1_000 });
      if (chance(0.05)) {
        await connection.queue.pauseTube({ tube, duration: durationFromMs(LOOK_MS) });
      }
    } catch (error) {
      if (refusalOf(error) !== undefined) throw error;
      connection.die();
      connection = new Connection(world);
    }
    if (performance.now() < memoryAt) continue;
    memoryAt += MEMORY_MS;
    await memory.take(!disturbed());
  }
  connection.die();
}

async function lookOnce({ queue }: Connection, world: World, faults: string[]): Promise<void> {
  const { tubes } = await queue.getStatistics({});
  let live = 0;
  for (const { tube: name, tasks } of tubes) {
    const total = tasks?.total ?? 0n;
    live += Number(total);
    const capacity = world.tubes.find((tube) => tube.name === name)?.capacity ?? 0n;
    if (capacity > 0n && total > capacity && faults.length < MOST_FAULTS) {
      faults.push(`${name} holds ${total} tasks and has room for ${capacity}`);
    }
  }
  world.live = live;
}
