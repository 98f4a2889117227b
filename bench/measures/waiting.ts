import type { Bench } from "../run/bench.ts";
import { rateOf, runLoad } from "../run/load.ts";
import { residentBytesOf } from "../run/process.ts";
import { type Contender, inTurns } from "../run/rounds.ts";
import { medianOf, plainRow, type Reading, type Row, ratioRow } from "../run/rows.ts";
import { createFifo, fill } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";

const TUBE = "bench";
/** Tasks in the tube that the full one is compared with, and takes in a round. */
const FEW = 1_000;
const AFTER_RESTART = "all tasks are there";

/** A million tasks that wait: what they cost a start, the memory and a take. */
export async function waiting(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const count = bench.pace.quick ? 200_000 : 1_000_000;
  const tasks = count.toLocaleString("en-US");
  const env = { USHER_QUEUE_CACHE_SIZE: "0" };
  const empty = await Usher.start(bench, stack, { env });
  const full = await Usher.start(bench, stack, { env });
  await createFifo(full, TUBE);
  bench.say(`putting ${tasks} tasks`);
  await fill(full, TUBE, count);
  return [
    ...(await restarts(bench, full, tasks)),
    ...(await memory(empty, full, count)),
    ...(await takes(bench, empty, full, tasks)),
  ];
}

async function restarts(bench: Bench, full: Usher, tasks: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const readings: Reading[] = [];
    for (let round = 0; round < Math.min(3, bench.pace.rounds); round++) {
      await full.stop(signal);
      readings.push({ value: (await full.restart()) / 1_000 });
      bench.say(`restart after ${signal}: ${readings.at(-1)?.value.toFixed(2)} s`);
    }
    const measure = `restart to serving, ${tasks} tasks`;
    const system = `Usher, after ${signal}`;
    rows.push(
      plainRow({ measure, system, unit: "s", durable: AFTER_RESTART, readings }, { most: 3 }),
    );
  }
  return rows;
}

/** Payloads are not cached here, so what is left is what a task takes in the engine. */
async function memory(empty: Usher, full: Usher, count: number): Promise<Row[]> {
  const [without, withTasks] = [await empty.memory(), await full.memory()];
  if (without === undefined || withTasks === undefined) throw new Error("an Usher has ended");
  const held = withTasks.heapUsed + withTasks.external - without.heapUsed - without.external;
  const shared = { measure: "memory a waiting task", unit: "bytes", durable: USHER_DURABLE };
  const rows = [
    plainRow(
      { ...shared, system: "Usher, held after a restart", readings: [{ value: held / count }] },
      { most: 150 },
    ),
  ];
  const [small, large] = [residentBytesOf(empty.pid), residentBytesOf(full.pid)];
  if (small !== undefined && large !== undefined) {
    const readings = [{ value: (large - small) / count }];
    rows.push(plainRow({ ...shared, system: "Usher, resident, garbage included", readings }));
  }
  return rows;
}

async function takes(bench: Bench, few: Usher, many: Usher, tasks: string): Promise<Row[]> {
  await createFifo(few, TUBE);
  await fill(few, TUBE, FEW);
  const contender = (usher: Usher, waiting: string): Contender => ({
    system: `Usher, ${waiting} waiting`,
    durable: "nothing: a lease need not be",
    async measure() {
      const load = { address: usher.grpcAddress, tube: TUBE, batch: 1, count: FEW / 2 };
      const report = await runLoad("take-ack", { ...load, systemPids: [usher.pid] });
      await fill(usher, TUBE, FEW / 2);
      return { ...rateOf(report), value: report.latency?.p50 ?? Number.NaN };
    },
  });
  const measure = "Take, one at a time, median";
  const contenders = [contender(many, tasks), contender(few, FEW.toLocaleString("en-US"))];
  const [long, short] = [...(await inTurns(bench, measure, "ms", contenders)).values()];
  if (long === undefined || short === undefined) return [];
  return [ratioRow(long, { name: short.system, value: medianOf(short) }), plainRow(short)];
}
