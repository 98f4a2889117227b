/**
 * `npm run soak`: drives every kind of tube with workers that die, sessions that lapse and a server
 * that is killed, checks that nothing is lost or doubled, and shows memory over time.
 */
import { parseArgs } from "node:util";
import type { Bench } from "../run/bench.ts";
import { Usher } from "../systems/usher.ts";
import { workByCalls, workByLibrary, workInSessions } from "./call-workers.ts";
import { drain } from "./drain.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { operate } from "./operators.ts";
import { putBatches, putByLibrary } from "./producers.ts";
import { workByStreams } from "./stream-worker.ts";
import { createTubes, pause, type World } from "./world.ts";

const USAGE = "npm run soak -- [--minutes N]   ten minutes unless said otherwise\n";
/** Of the time; in what is left the server lives on, so that its memory can be compared. */
const KILLING_SHARE = 0.4;
/** Longer than a put may wait for its answer, shorter than the soak: else memory never levels off. */
const DEDUP_WINDOW_SECONDS = 60n;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { minutes: { type: "string", default: "10" } } });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const pace = { quick: false, rounds: 1, seconds: 0, warmUpSeconds: 0 };
  const bench: Bench = { pace, profileFolder: undefined, say };
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack, { env: { USHER_LOG_LEVEL: "error" } });
  const world: World = {
    address: usher.grpcAddress,
    tubes: createTubes(),
    counts: { puts: 0, takes: 0, acks: 0, deaths: 0, lapses: 0, kills: 0 },
    live: 0,
    producing: true,
    working: true,
  };
  for (const { name, kind, capacity } of world.tubes) {
    const dedupWindow = { seconds: DEDUP_WINDOW_SECONDS };
    await usher.queue.createTube({ tube: { name, kind, capacity, dedupWindow } });
  }

  const startedAt = performance.now();
  const producers = [
    ...["a", "b", "c"].map((name) => putBatches(world, name)),
    putByLibrary(world, "library"),
  ];
  const workers = [
    ...Array.from({ length: 3 }, () => workByStreams(world)),
    ...Array.from({ length: 2 }, () => workInSessions(world)),
    ...Array.from({ length: 2 }, () => workByCalls(world)),
    workByLibrary(world),
  ];
  const memory = new MemoryWatch(usher, world, say);
  const killUntil = startedAt + minutes * 60_000 * KILLING_SHARE;
  const faults: string[] = [];
  const operators = operate({ usher, world, memory, killUntil, faults });
  const all = Promise.all([...producers, ...workers, operators]);
  // A fault of the soak itself ends it at once, rather than when the time is over.
  await Promise.race([all, pause(minutes * 60_000)]);
  world.producing = false;
  await Promise.all(producers);
  world.working = false;
  await all;

  say("draining");
  faults.push(...(await drain(world)));
  return report(world, memory, faults, say);
}

function report(
  { counts, tubes }: World,
  memory: MemoryWatch,
  faults: readonly string[],
  say: (line: string) => void,
): number {
  say(
    `${counts.puts} tasks put, ${counts.takes} taken, ${counts.acks} acks answered; ${counts.kills} ends of the server, ${counts.deaths} deaths of workers, ${counts.lapses} leases or sessions left to lapse`,
  );
  say(memory.summary());
  const found = tubes.map(({ ledger }) => ledger.faults);
  const lines = [...faults, ...found.flatMap(({ first }) => first)];
  const count = faults.length + found.reduce((sum, one) => sum + one.count, 0);
  for (const line of lines) say(`FAULT ${line}`);
  say(count === 0 ? "nothing was lost or doubled" : `${count} faults`);
  return count === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
