/**
 * Many Takes that wait on one tube. One put after the other wakes one of them: measures how long
 * from a put to the taker's answer, and that the one who waits longest is served.
 */
import { GrpcConnection } from "./grpc-connection.ts";
import { Measured, options } from "./measured.ts";
import { bytesField, FieldReader, numberField } from "./wire.ts";

interface Options {
  readonly address: string;
  readonly tube: string;
  readonly takers: number;
  readonly puts: number;
  readonly systemPids: readonly number[];
}

const SERVICE = "/usher.queue.v1.QueueService";
const WAIT_SECONDS = 600;
/** GetStatisticsResponse.tubes[0].waiting_takers */
const TUBES = 1;
const WAITING_TAKERS = 7;

const given = options<Options>();
const measured = new Measured();
const tube = bytesField(1, Buffer.from(given.tube));
const take = Buffer.concat([tube, bytesField(3, numberField(1, WAIT_SECONDS))]);
const put = Buffer.concat([tube, bytesField(2, bytesField(1, bytesField(1, Buffer.from("x"))))]);
// On one connection the server hears of them in the order in which they are sent.
const takers = await GrpcConnection.open(given.address);
const others = await GrpcConnection.open(given.address);
/** Numbers of the takers in the order of their answers. */
const answered: number[] = [];
let whenAnswered: (() => void) | undefined;

for (let number = 0; number < given.takers + given.puts; number++) {
  const asked = takers.unary(`${SERVICE}/Take`, take);
  asked.then(({ status }) => {
    if (status !== 0) throw new Error(`Take has status ${status}`);
    answered.push(number);
    whenAnswered?.();
  });
}
while ((await waitingTakers()) < given.takers + given.puts) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

const end = measured.begin(given.systemPids);
for (let number = 0; number < given.puts; number++) {
  const startedAt = performance.now();
  const served = new Promise<void>((resolve) => {
    whenAnswered = resolve;
  });
  const { status } = await others.unary(`${SERVICE}/Put`, put);
  if (status !== 0) throw new Error(`Put has status ${status}`);
  await served;
  measured.took(performance.now() - startedAt);
  measured.count(1);
  if (answered.at(-1) !== number) throw new Error("a taker was served before its turn");
}
end();
measured.report();
process.exit(0);

async function waitingTakers(): Promise<number> {
  const { message } = await others.unary(`${SERVICE}/GetStatistics`, tube);
  const answer = new FieldReader(message);
  while (answer.next()) {
    if (answer.field !== TUBES) continue;
    const statistics = new FieldReader(message, answer.start, answer.end);
    while (statistics.next()) {
      if (statistics.field === WAITING_TAKERS) return statistics.value;
    }
  }
  return 0;
}
