import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Usher } from "../systems/usher.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import { between, Connection, chance, pause, pick, refusalOf, type World } from "./world.ts";

export interface Operation {
  readonly usher: Usher;
  readonly world: World;
  readonly memory: MemoryWatch;
  /** Until when the server is killed now and then, by `performance.now`. */
  readonly killUntil: number;
  /** Where faults that operators see go. */
  readonly faults: string[];
}

const LOOK_MS = 500;
const MEMORY_MS = 10_000;
const MOST_FAULTS = 50;

/** Kicks, pauses, watches capacities and memory, and ends the server, until the work is over. */
export async function operate(operation: Operation): Promise<void> {
  await Promise.all([kill(operation), look(operation)]);
  // What is paused now would never be drained.
  await pause(1_000);
}

async function kill({ usher, world, killUntil }: Operation): Promise<void> {
  while (world.working && performance.now() < killUntil) {
    const wait = Math.min(between(3_000, 12_000), Math.max(0, killUntil - performance.now()));
    await pause(wait);
    if (!world.working) return;
    await usher.stop(chance(0.7) ? "SIGKILL" : "SIGTERM");
    world.counts.kills++;
    await usher.restart();
  }
}

async function look({ world, memory, killUntil, faults }: Operation): Promise<void> {
  const connection = new Connection(world.address);
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
    }
    if (performance.now() < memoryAt) continue;
    memoryAt += MEMORY_MS;
    await memory.take(performance.now() >= killUntil);
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
