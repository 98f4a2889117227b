/**
 * Put, Take, Ack of single tasks, one call after the other in so many loops at once. Measures how
 * long the three take together.
 */
import { GrpcConnection } from "./grpc-connection.ts";
import { Measured, options, type Phases } from "./measured.ts";
import { bytesField, leasesOf, numberField } from "./wire.ts";

interface Options extends Phases {
  readonly address: string;
  readonly tube: string;
  readonly payloadBytes: number;
  readonly atOnce: number;
}

const SERVICE = "/usher.queue.v1.QueueService";

const given = options<Options>();
const measured = new Measured();
const payload = bytesField(1, bytesField(1, Buffer.alloc(given.payloadBytes, "x")));
const tube = bytesField(1, Buffer.from(given.tube));
const put = Buffer.concat([tube, bytesField(2, payload)]);
const take = Buffer.concat([tube, numberField(2, 1)]);
const connection = await GrpcConnection.open(given.address);

async function call(rpc: string, body: Buffer): Promise<Buffer> {
  const { message, status } = await connection.unary(`${SERVICE}/${rpc}`, body);
  if (status !== 0) throw new Error(`${rpc} has status ${status}`);
  return message;
}

/** Takes a task, whoever put it: there are as many as there are loops that want one. */
async function loop(): Promise<void> {
  while (measured.running) {
    const startedAt = performance.now();
    await call("Put", put);
    const taken = await call("Take", take);
    const [lease] = leasesOf(taken, 1, 0, taken.length);
    if (lease === undefined) throw new Error("Take has no task");
    await call("Ack", bytesField(1, lease));
    measured.took(performance.now() - startedAt);
    measured.count(1);
  }
}

const loops = Array.from({ length: given.atOnce }, () => loop());
await Promise.all([measured.run(given), ...loops]);
measured.report();
connection.close();
