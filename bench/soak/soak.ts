/**
 * `npm run soak`: drives every kind of tube with workers that die, sessions that lapse and a server
 * that is killed, checks that nothing is lost or doubled, and shows memory over time.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { MONGOD_MISSING, type Mongod, startMongod } from "../peers/mongod.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { Usher } from "../systems/usher.ts";
import { workByCalls, workByLibrary, workInSessions } from "./call-workers.ts";
import { disturb } from "./disturbances.ts";
import { drain } from "./drain.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { operate } from "./operators.ts";
import { putBatches, putByLibrary } from "./producers.ts";
import { workByStreams } from "./stream-worker.ts";
import { createTubes, pause, type World } from "./world.ts";

const USAGE = `npm run soak -- [flags]

  --minutes N     how long (default 10); in the last part nothing is ended, to compare memory
  --instances N   several instances on a MongoDB of the soak's own, which is ended too
  --ends N        ends, stops or kills so many times, however long that takes
`;
/** Of the time; in what is left the servers live on, so that their memory can be compared. */
const KILLING_SHARE = 0.4;
/** Longer than a put may wait for its answer, shorter than the soak: else memory never levels off. */
const DEDUP_WINDOW_SECONDS = 60n;
/** After the last of so many ends. */
const CALM_MS = 5_000;

const options = {
  minutes: { type: "string", default: "10" },
  instances: { type: "string", default: "0" },
  ends: { type: "string", default: "0" },
} as const;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  const [minutes, instances, ends] = [values.minutes, values.instances, values.ends].map(Number);
  if (!(minutes !== undefined && minutes > 0) || !isCount(instances) || !isCount(ends)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const pace = { quick: false, rounds: 1, seconds: 0, warmUpSeconds: 0 };
  const bench: Bench = { pace, profileFolder: undefined, say };
  await using stack = new AsyncDisposableStack();
  const { ushers, mongod } = await startServers(bench, stack, instances);
  const [usher] = ushers;
  if (usher === undefined) {
    process.stderr.write(`${MONGOD_MISSING}\n`);
    return 1;
  }
  const world: World = {
    addresses: ushers.map(({ grpcAddress }) => grpcAddress),
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
  const disturbUntil = startedAt + minutes * 60_000 * KILLING_SHARE;
  const more = (count: number): boolean =>
    ends > 0 ? count < ends : performance.now() < disturbUntil;
  let disturbed = true;
  const disturbances = disturb({ world, ushers, mongod, say, more }).finally(() => {
    disturbed = false;
  });
  const faults: string[] = [];
  const operators = operate({ world, memory, disturbed: () => disturbed, faults });
  const all = Promise.all([...producers, ...workers, operators, disturbances]);
  const over = ends > 0 ? disturbances.then(() => pause(CALM_MS)) : pause(minutes * 60_000);
  // A fault of the soak itself ends it at once, rather than when the time is over.
  await Promise.race([all, over]);
  world.producing = false;
  await Promise.all(producers);
  world.working = false;
  await all;

  say("draining");
  faults.push(...(await drain(world)));
  return report(world, memory, faults, say);
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}

/** One on its embedded database, or several on a MongoDB; none where there is no mongod. */
async function startServers(
  bench: Bench,
  stack: AsyncDisposableStack,
  instances: number,
): Promise<{ ushers: Usher[]; mongod: Mongod | undefined }> {
  const env = { USHER_LOG_LEVEL: "error" };
  if (instances === 0) {
    return { ushers: [await Usher.start(bench, stack, { env })], mongod: undefined };
  }
  const mongod = await startMongod(stack, { folder: temporaryFolder(stack), cacheGiB: 1 });
  if (mongod === undefined) return { ushers: [], mongod };
  const sealing = { USHER_AUTH_SEALING_KEYS: randomBytes(32).toString("base64") };
  const options = { storage: mongod.url("soak"), env: { ...env, ...sealing } };
  const ushers: Usher[] = [];
  for (let index = 0; index < instances; index++) {
    ushers.push(await Usher.start(bench, stack, options));
  }
  return { ushers, mongod };
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
