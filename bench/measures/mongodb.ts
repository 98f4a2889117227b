import { MONGOD_MISSING, type Mongod, startMongod } from "../peers/mongod.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { plainRows } from "../run/compare.ts";
import { type LoadReport, phases, rateOf, runLoad } from "../run/load.ts";
import { atLeast, type Contender, inTurns, type Span } from "../run/rounds.ts";
import {
  type Found,
  type Goal,
  medianOf,
  missingRow,
  plainRow,
  type Row,
  ratioRow,
} from "../run/rows.ts";
import { type Instance, MONGODB_DURABLE, startInstances } from "../systems/instances.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";

const MEASURE = "put, take, ack on MongoDB";
const CALLS = "Put + Take + Ack of one task on MongoDB";
const UNIT = "lifecycles/s";
const ONE = "Usher, 1 instance";
const TWO = "Usher, 2 instances, a tube of its own each";
const CROSSED = "Usher, 2 instances, each with the other's tube";
const OWNER = "Usher, through the owner";
const FORWARDED = "Usher, through the other instance";
const AGENDA = "agenda";
const MONGODB_QUEUE = "mongodb-queue";
const AT_ONCE = [1, 64];

/** What one instance is asked to do beside the libraries. */
const MANY_TIMES: Goal = { least: 30 };
/** What two instances are asked to do beside one. */
const SCALES: Goal = { least: 1.5 };
const LEAST_RATE: Goal = { least: 10_000 };
/** How much longer a call may take that has to be forwarded. */
const FORWARDING: Goal = { most: 2.5 };

/** Everything that keeps its tasks in one and the same MongoDB. */
export async function mongodb(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const mongod = await startMongod(stack, { folder: temporaryFolder(stack), cacheGiB: 1 });
  if (mongod === undefined) {
    const systems = [ONE, TWO, CROSSED, AGENDA, MONGODB_QUEUE];
    return [
      ...systems.map((system) => missingRow(MEASURE, system, UNIT, MONGOD_MISSING)),
      ...[OWNER, FORWARDED].map((system) => missingRow(CALLS, system, "ms", MONGOD_MISSING)),
    ];
  }
  const alone = await startInstances(bench, stack, mongod.url("usher1"), 1);
  const both = await startInstances(bench, stack, mongod.url("usher2"), 2);
  const rows = await lifecycles(bench, mongod, { alone, both });
  for (const atOnce of AT_ONCE) rows.push(...(await calls(bench, mongod, both, atOnce)));
  return rows;
}

/** Streams of many tasks a message, beside the libraries. */
async function lifecycles(
  bench: Bench,
  mongod: Mongod,
  { alone, both }: { alone: readonly Instance[]; both: readonly Instance[] },
): Promise<Row[]> {
  const crossed = both.map(({ usher }, index) => {
    const { tube } = both[(index + 1) % both.length] as Instance;
    return { usher, tube };
  });
  const systems = [
    streams(ONE, mongod, alone),
    streams(TWO, mongod, both),
    streams(CROSSED, mongod, crossed),
    agenda(mongod),
    mongodbQueue(mongod),
  ];
  const measure = `${MEASURE} ${mongod.version}`;
  const found = await inTurns(bench, measure, UNIT, systems);
  const own = found.get(ONE) as Found;
  const two = found.get(TWO) as Found;
  const base = (name: string) => ({ name, value: medianOf(found.get(name) as Found) });
  return [
    plainRow(own, LEAST_RATE),
    ratioRow(own, base(AGENDA), MANY_TIMES),
    ratioRow(own, base(MONGODB_QUEUE), MANY_TIMES),
    ratioRow(two, base(ONE), SCALES),
    ratioRow(found.get(CROSSED) as Found, base(TWO)),
    ...plainRows(measure, UNIT, systems.slice(3), found),
  ];
}

/** Unary calls through the instance that owns the tube, beside those that the other forwards. */
async function calls(
  bench: Bench,
  mongod: Mongod,
  both: readonly Instance[],
  atOnce: number,
): Promise<Row[]> {
  const [{ tube }, { usher: other }] = both as [Instance, Instance];
  const [{ usher: owner }] = both as [Instance];
  const pids = [mongod.pid, ...both.map(({ usher }) => usher.pid)];
  const through = (system: string, address: string): Contender => ({
    system,
    durable: MONGODB_DURABLE,
    async measure(span) {
      const load = { address, tube, payloadBytes: PAYLOAD_BYTES, atOnce };
      const report = await runLoad("lifecycle-calls", { ...phases(atLeast(span), pids), ...load });
      return { ...rateOf(report), value: report.latency?.p50 ?? Number.NaN };
    },
  });
  const systems = [through(OWNER, owner.grpcAddress), through(FORWARDED, other.grpcAddress)];
  const measure = `${CALLS}, ${atOnce === 1 ? "one at a time" : `${atOnce} at once`}, median`;
  const found = await inTurns(bench, measure, "ms", systems);
  const direct = found.get(OWNER) as Found;
  const base = { name: OWNER, value: medianOf(direct) };
  return [ratioRow(found.get(FORWARDED) as Found, base, FORWARDING), plainRow(direct)];
}

/** Each instance has a load of its own, on the tube that goes with it. */
function streams(system: string, mongod: Mongod, instances: readonly Instance[]): Contender {
  return {
    system,
    durable: MONGODB_DURABLE,
    async measure(span) {
      const reports = await Promise.all(
        instances.map(({ usher, tube }, index) =>
          // The database's CPU counts too, once.
          lifecycleStreams(span, usher.grpcAddress, tube, [
            usher.pid,
            ...(index === 0 ? [mongod.pid] : []),
          ]),
        ),
      );
      const readings = reports.map(rateOf);
      return {
        value: sum(readings.map(({ value }) => value)),
        loadCpu: sum(readings.map(({ loadCpu }) => loadCpu ?? 0)),
        systemCpu: sum(readings.map(({ systemCpu }) => systemCpu ?? 0)),
      };
    },
  };
}

function lifecycleStreams(
  span: Span,
  address: string,
  tube: string,
  pids: readonly number[],
): Promise<LoadReport> {
  const shared = { streams: 4, batch: 100, payloadBytes: PAYLOAD_BYTES, drain: true };
  const load = { ...shared, address, tube, prefetch: 1_000, backlog: 8_000 };
  return runLoad("lifecycle-streams", { ...phases(atLeast(span), pids), ...load });
}

function agenda(mongod: Mongod): Contender {
  return {
    system: AGENDA,
    durable: "the driver's default: a majority, journaled",
    async measure(span) {
      const load = { url: mongod.url("agenda"), payloadBytes: PAYLOAD_BYTES };
      const options = { ...phases(atLeast(span), [mongod.pid]), ...load, puts: 4, concurrency: 20 };
      return rateOf(await runLoad("agenda", options));
    },
  };
}

function mongodbQueue(mongod: Mongod): Contender {
  return {
    system: MONGODB_QUEUE,
    durable: "the server's default: a majority, journaled",
    async measure(span) {
      const load = { url: mongod.url("queue"), payloadBytes: PAYLOAD_BYTES, batch: 100 };
      const options = { ...phases(atLeast(span), [mongod.pid]), ...load, workers: 16 };
      return rateOf(await runLoad("mongodb-queue", options));
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
