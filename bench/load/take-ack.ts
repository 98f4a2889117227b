/** So many tasks taken and acked, one call after the other, and how long each Take took. */
import { GrpcConnection } from "./grpc-connection.ts";
import { Measured, options } from "./measured.ts";
import { bytesField, leasesOf, numberField } from "./wire.ts";

interface Options {
  readonly address: string;
  readonly tube: string;
  /** Tasks in a call. */
  readonly batch: number;
  /** Tasks in all. */
  readonly count: number;
  readonly systemPids: readonly number[];
}

const SERVICE = "/usher.queue.v1.QueueService";

const given = options<Options>();
const measured = new Measured();
const connection = await GrpcConnection.open(given.address);
const take = Buffer.concat([bytesField(1, Buffer.from(given.tube)), numberField(2, given.batch)]);

const end = measured.begin(given.systemPids);
for (let done = 0; done < given.count; ) {
  const startedAt = performance.now();
  const taken = await connection.unary(`${SERVICE}/Take`, take);
  measured.took(performance.now() - startedAt);
  const leases = leasesOf(taken.message, 1, 0, taken.message.length);
  if (leases.length === 0) throw new Error(`Take has status ${taken.status} and no task`);
  const acks = Buffer.concat(leases.map((lease) => bytesField(1, lease)));
  const acked = await connection.unary(`${SERVICE}/BatchAck`, acks);
  if (acked.status !== 0 || acked.message.length > 0) throw new Error("an ack was refused");
  done += leases.length;
  measured.count(leases.length);
}
end();
measured.report();
connection.close();
