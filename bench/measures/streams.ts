import { beanstalkd } from "../peers/beanstalkd.ts";
import { tarantool } from "../peers/tarantool.ts";
import type { Bench } from "../run/bench.ts";
import { compare } from "../run/compare.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { type Contender, inTurns } from "../run/rounds.ts";
import { medianOf, plainRow, type Row, ratioRow } from "../run/rows.ts";
import { createFifo, fill, PAYLOAD_BYTES } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";
import { GRPC_ECHO, grpcEcho } from "./echo.ts";

const UNIT = "lifecycles/s";
const LOAD = {
  streams: 4,
  batch: 100,
  payloadBytes: PAYLOAD_BYTES,
  prefetch: 1_000,
  backlog: 16_000,
};

/** Put, take, ack by streams, beside everything that keeps a log of tasks. */
export async function streams(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const ours = await streamsContender(bench, stack, "Usher, Produce and Work");
  return await compare(bench, {
    measure: "put, take, ack by streams",
    unit: UNIT,
    ours,
    others: [
      await grpcEcho(stack, Buffer.alloc(PAYLOAD_BYTES, "x")),
      await beanstalkd(stack, 0),
      await beanstalkd(stack, 50),
      await tarantool(stack, 100),
      await tarantool(stack, 1),
    ],
    goals: {
      [GRPC_ECHO]: { least: 5 },
      "beanstalkd -f0": { least: 40 },
      "beanstalkd -f50": { least: 5 },
      "tarantool, 100 a call": { least: 2 },
    },
  });
}

/** The streams of an Usher, started from this tree or from `root`. */
export async function streamsContender(
  bench: Bench,
  stack: AsyncDisposableStack,
  system: string,
  root?: string,
): Promise<Contender> {
  return await streamed(await Usher.start(bench, stack, { root }), system, true);
}

/** The same beside a tube in which a million tasks wait all the time. */
export async function streamsWaiting(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const waiting = bench.pace.quick ? 200_000 : 1_000_000;
  const empty = await Usher.start(bench, stack);
  const full = await Usher.start(bench, stack);
  const emptied = await streamed(empty, "Usher, none waiting", true);
  const filled = await streamed(full, `Usher, ${waiting.toLocaleString("en-US")} waiting`, false);
  bench.say(`putting ${waiting.toLocaleString("en-US")} tasks`);
  await fill(full, TUBE, waiting);
  const measure = "streams with tasks waiting";
  const found = await inTurns(bench, measure, UNIT, [filled, emptied]);
  const [withTasks, without] = [found.get(filled.system), found.get(emptied.system)];
  if (withTasks === undefined || without === undefined) throw new Error("nothing was measured");
  const base = { name: emptied.system, value: medianOf(without) };
  return [ratioRow(withTasks, base, { least: 0.7 }), plainRow(without)];
}

const TUBE = "bench";

async function streamed(usher: Usher, system: string, drain: boolean): Promise<Contender> {
  await createFifo(usher, TUBE);
  return {
    system,
    durable: USHER_DURABLE,
    async measure(span) {
      const load = phases(span, [usher.pid]);
      const options = { ...load, ...LOAD, address: usher.grpcAddress, tube: TUBE, drain };
      return rateOf(await runLoad("lifecycle-streams", options));
    },
  };
}
