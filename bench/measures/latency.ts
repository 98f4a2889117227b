import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { PutRequestSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { type LoadReport, phases, rateOf, runLoad } from "../run/load.ts";
import { type Contender, inTurns, type Span } from "../run/rounds.ts";
import { type Found, medianOf, plainRow, type Reading, type Row, ratioRow } from "../run/rows.ts";
import { createFifo, PAYLOAD_BYTES } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";
import { NOTHING_DURABLE, startYardstick } from "../systems/yardstick.ts";
import { ECHO_PATH, GRPC_ECHO } from "./echo.ts";

const TUBE = "bench";
const FSYNC = "one fsync of a page";

/** One put after the other: what a caller waits for. */
export async function latency(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack);
  await createFifo(usher, TUBE);
  const echo = await startYardstick(stack, "grpc-echo");
  const file = join(temporaryFolder(stack), "page");
  const payload = { content: { case: "data" as const, value: new Uint8Array(PAYLOAD_BYTES) } };
  const message = create(PutRequestSchema, { tube: TUBE, task: { payload } });
  const bodies = [Buffer.from(toBinary(PutRequestSchema, message)).toString("base64")];
  const unary = (span: Span, address: string, path: string, pid: number): Promise<LoadReport> =>
    runLoad("unary", { ...phases(span, [pid]), address, path, bodies, atOnce: 1 });

  const put: Contender = {
    system: "Usher",
    durable: USHER_DURABLE,
    measure: async (span) => {
      const path = "/usher.queue.v1.QueueService/Put";
      return middleOf(await unary(span, usher.grpcAddress, path, usher.pid));
    },
  };
  const bare: Contender = {
    system: GRPC_ECHO,
    durable: NOTHING_DURABLE,
    measure: async (span) => middleOf(await unary(span, echo.address, ECHO_PATH, echo.pid)),
  };
  const fsync: Contender = {
    system: FSYNC,
    durable: "the page",
    measure: async (span) => middleOf(await runLoad("fsync", { ...phases(span, []), file })),
  };
  const measure = "Put, one at a time, median";
  const found = await inTurns(bench, measure, "ms", [put, bare, fsync]);
  const [puts, echoes, fsyncs] = [put, bare, fsync].map(({ system }) => found.get(system) as Found);
  if (puts === undefined || echoes === undefined || fsyncs === undefined) return [];
  const least = medianOf(echoes) + medianOf(fsyncs);
  return [
    ratioRow(puts, { name: `${GRPC_ECHO} + ${FSYNC}`, value: least }, { most: 1.2 }),
    plainRow(echoes),
    plainRow(fsyncs),
  ];
}

/** The median latency, in milliseconds. */
function middleOf(report: LoadReport): Reading {
  return { ...rateOf(report), value: report.latency?.p50 ?? Number.NaN };
}
