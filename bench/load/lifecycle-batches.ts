/**
 * BatchPut, Take, BatchAck, one after the other in several loops at once. A loop takes as many
 * tasks as it put, whoever put them, so that the tube stays short.
 */
import { GrpcConnection } from "./grpc-connection.ts";
import { Measured, options, type Phases } from "./measured.ts";
import { bytesField, leasesOf, numberField } from "./wire.ts";

interface Options extends Phases {
  readonly address: string;
  readonly tube: string;
  readonly batch: number;
  readonly payloadBytes: number;
  readonly loops: number;
}

const SERVICE = "/usher.queue.v1.QueueService";

const given = options<Options>();
const measured = new Measured();
const payload = bytesField(1, bytesField(1, Buffer.alloc(given.payloadBytes, "x")));
const tube = bytesField(1, Buffer.from(given.tube));
const put = Buffer.concat([tube, ...Array(given.batch).fill(bytesField(2, payload))]);
const take = Buffer.concat([tube, numberField(2, given.batch)]);
const connection = await GrpcConnection.open(given.address);

async function call(rpc: string, body: Buffer): Promise<Buffer> {
  const { message, status } = await connection.unary(`${SERVICE}/${rpc}`, body);
  if (status !== 0) throw new Error(`${rpc} has status ${status}`);
  return message;
}

async function loop(): Promise<void> {
  while (measured.running) {
    await call("BatchPut", put);
    const taken = await call("Take", take);
    const leases = leasesOf(taken, 1, 0, taken.length);
    const failures = await call(
      "BatchAck",
      Buffer.concat(leases.map((lease) => bytesField(1, lease))),
    );
    if (failures.length > 0) throw new Error("a lease was refused");
    measured.count(leases.length);
  }
}

const loops = Array.from({ length: given.loops }, () => loop());
await Promise.all([measured.run(given), ...loops]);
measured.report();
connection.close();
