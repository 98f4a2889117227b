import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { MONGOD_MISSING, type Mongod, startMongod } from "../peers/mongod.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { plainRows } from "../run/compare.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { type Absent, atLeast, type Contender, inTurns, isHere } from "../run/rounds.ts";
import { type Found, medianOf, missingRow, type Row, ratioRow } from "../run/rows.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";
import { Usher } from "../systems/usher.ts";

const MEASURE = "put, take, ack on MongoDB";
const UNIT = "lifecycles/s";
const AGENDA = "agenda";
const MONGODB_QUEUE = "mongodb-queue";
/** What "several times" is taken to mean. */
const SEVERAL = { least: 3 };

/** Everything that keeps its tasks in one and the same MongoDB. */
export async function mongodb(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const mongod = await startMongod(stack, { folder: temporaryFolder(stack), cacheGiB: 1 });
  if (mongod === undefined) {
    const systems = ["Usher, 1 instance", "Usher, 2 instances", AGENDA, MONGODB_QUEUE];
    return systems.map((system) => missingRow(MEASURE, system, UNIT, MONGOD_MISSING));
  }
  const systems = [
    await usherOn(bench, stack, mongod, 1),
    await usherOn(bench, stack, mongod, 2),
    agenda(mongod),
    mongodbQueue(mongod),
  ];
  const measure = `${MEASURE} ${mongod.version}`;
  const found = await inTurns(bench, measure, UNIT, systems.filter(isHere));
  const rows = plainRows(measure, UNIT, systems, found);
  return [...ratios(found), ...rows];
}

/** What one instance does beside each of the others. */
function ratios(found: ReadonlyMap<string, Found>): Row[] {
  const own = found.get("Usher, 1 instance");
  if (own === undefined) return [];
  return [AGENDA, MONGODB_QUEUE].flatMap((name) => {
    const peer = found.get(name);
    return peer === undefined ? [] : [ratioRow(own, { name, value: medianOf(peer) }, SEVERAL)];
  });
}

async function usherOn(
  bench: Bench,
  stack: AsyncDisposableStack,
  mongod: Mongod,
  instances: number,
): Promise<Contender | Absent> {
  const system = `Usher, ${instances} instance${instances === 1 ? "" : "s"}`;
  const storage = mongod.url(`usher${instances}`);
  const ushers: Usher[] = [];
  try {
    for (let index = 0; index < instances; index++) {
      ushers.push(await Usher.start(bench, stack, { storage }));
    }
  } catch (error) {
    // Its own words, without those of the log around them.
    const said = (error as Error).message.match(/^.*usher: (.*)$/m)?.[1];
    return { system, missing: `this Usher does not start on MongoDB: ${said ?? error}` };
  }
  const tubes = ushers.map((_, index) => `bench${index}`);
  for (const tube of tubes) {
    await ushers[0]?.queue.createTube({ tube: { name: tube, kind: TubeKind.FIFO } });
  }
  return {
    system,
    durable: "puts and acks on a majority, journaled",
    async measure(span) {
      const shared = { streams: 4, batch: 100, payloadBytes: PAYLOAD_BYTES, drain: true };
      const reports = await Promise.all(
        ushers.map(async ({ grpcAddress: address, pid }, index) => {
          const load = { ...shared, address, tube: tubes[index], prefetch: 1_000, backlog: 8_000 };
          return rateOf(await runLoad("lifecycle-streams", { ...phases(span, [pid]), ...load }));
        }),
      );
      return {
        value: sum(reports.map(({ value }) => value)),
        loadCpu: sum(reports.map(({ loadCpu }) => loadCpu ?? 0)),
        systemCpu: sum(reports.map(({ systemCpu }) => systemCpu ?? 0)),
      };
    },
  };
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
