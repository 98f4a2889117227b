import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { PutRequestSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { compare } from "../run/compare.ts";
import { grpcFrame, H2LOAD_MISSING, h2load, hasH2Load } from "../run/h2load.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import type { Contender } from "../run/rounds.ts";
import { missingRow, type Row } from "../run/rows.ts";
import { createFifo, PAYLOAD_BYTES, taskCount, truncate } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";
import { NOTHING_DURABLE, startYardstick } from "../systems/yardstick.ts";
import { GRPC_ECHO, grpcEcho } from "./echo.ts";

const TUBE = "bench";
const PUT = "/usher.queue.v1.QueueService/Put";
const CONNECT_ECHO = "bare connect-node echo";

const putRequest = create(PutRequestSchema, {
  tube: TUBE,
  task: { payload: { content: { case: "text", value: "x".repeat(PAYLOAD_BYTES) } } },
});

/** Put alone, 64 at once. */
export async function put(bench: Bench): Promise<Row[]> {
  const measure = "unary Put, 64 at once";
  if (!hasH2Load()) return [missingRow(measure, "Usher", "calls/s", H2LOAD_MISSING)];
  await using stack = new AsyncDisposableStack();
  return await compare(bench, {
    measure,
    unit: "calls/s",
    ours: await putContender(bench, stack, "Usher"),
    others: [await grpcEcho(stack, toBinary(PutRequestSchema, putRequest))],
    goals: { [GRPC_ECHO]: { least: 0.75 } },
  });
}

/** Puts into an Usher by h2load. */
export async function putContender(
  bench: Bench,
  stack: AsyncDisposableStack,
  system: string,
  root?: string,
): Promise<Contender> {
  const usher = await Usher.start(bench, stack, { root });
  await createFifo(usher, TUBE);
  const body = grpcFrame(toBinary(PutRequestSchema, putRequest));
  const url = `http://${usher.grpcAddress}${PUT}`;
  const load = { url, body, kind: "grpc", folder: temporaryFolder(stack) } as const;
  return {
    system,
    durable: USHER_DURABLE,
    measure: (span) => counted(usher, () => h2load({ ...load, systemPids: [usher.pid] }, span)),
  };
}

/** Put by JSON, as curl and browsers' backends do it. */
export async function connectJson(bench: Bench): Promise<Row[]> {
  const measure = "Connect JSON Put, HTTP/1.1";
  if (!hasH2Load()) return [missingRow(measure, "Usher", "calls/s", H2LOAD_MISSING)];
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack);
  await createFifo(usher, TUBE);
  const echo = await startYardstick(stack, "connect-echo");
  const body = Buffer.from(toJsonString(PutRequestSchema, putRequest));
  const folder = temporaryFolder(stack);
  const contender = (system: string, durable: string, address: string, pid: number): Contender => ({
    system,
    durable,
    measure: (span) => {
      const url = `http://${address}${PUT}`;
      return h2load({ url, body, kind: "connect-json", folder, systemPids: [pid] }, span);
    },
  });
  const ours = contender("Usher", USHER_DURABLE, usher.httpAddress, usher.pid);
  return await compare(bench, {
    measure,
    unit: "calls/s",
    ours: { ...ours, measure: (span) => counted(usher, () => ours.measure(span)) },
    others: [contender(CONNECT_ECHO, NOTHING_DURABLE, echo.address, echo.pid)],
    goals: { [CONNECT_ECHO]: { least: 0.7 } },
  });
}

/** Whole lives of tasks by batches of unary calls. */
export async function batches(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack);
  await createFifo(usher, TUBE);
  return await compare(bench, {
    measure: "BatchPut, Take, BatchAck of 100",
    unit: "lifecycles/s",
    ours: {
      system: "Usher",
      durable: USHER_DURABLE,
      async measure(span) {
        const load = { address: usher.grpcAddress, tube: TUBE, batch: 100, loops: 8 };
        const options = { ...phases(span, [usher.pid]), ...load, payloadBytes: PAYLOAD_BYTES };
        return rateOf(await runLoad("lifecycle-batches", options));
      },
    },
    others: [],
    goal: { least: 60_000 },
  });
}

/** Empties the tube after a round, once it is sure that what was answered is in it. */
async function counted<T extends { value: number }>(
  usher: Usher,
  measure: () => Promise<T>,
): Promise<T> {
  const reading = await measure();
  if ((await taskCount(usher, TUBE)) === 0)
    throw new Error("the tasks that were put are not there");
  await truncate(usher, TUBE);
  return reading;
}
