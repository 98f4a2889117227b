/**
 * Put, take, ack by Produce and Work streams, many tasks a message. Bounded: each Produce stream
 * has a few batches without an answer, and puts wait while more tasks than `backlog` are not acked.
 */
import { GrpcConnection, type GrpcStream } from "./grpc-connection.ts";
import { Measured, options, type Phases } from "./measured.ts";
import { acksField, bytesField, FieldReader, leasesOf, numberField } from "./wire.ts";

interface Options extends Phases {
  readonly address: string;
  readonly tube: string;
  /** So many Produce streams and so many Work streams. */
  readonly streams: number;
  /** Tasks in a message, as it is put and as it is settled. */
  readonly batch: number;
  readonly payloadBytes: number;
  readonly prefetch: number;
  /** The most tasks of this load that are put and not acked. */
  readonly backlog: number;
  /** Whether to stay until all that was put is acked. */
  readonly drain: boolean;
}

const SERVICE = "/usher.queue.v1.QueueService";
/** Batches of one Produce stream that may be without an answer. */
const WINDOW = 4;
const RESPONSE_SEQUENCE = 1;
const RESPONSE_ERROR = 4;
const WORK_TASKS = 1;
const WORK_SETTLED = 2;
const SETTLED_FAILURES = 2;

const given = options<Options>();
const measured = new Measured();
/** Tasks that were put, or are on their way, and are not acked. */
let open = 0;
let whenDrained: (() => void) | undefined;
const producers: (() => void)[] = [];

/** A ProduceRequest without its sequence. */
const batchOfPuts = ((): Buffer => {
  const payload = bytesField(1, bytesField(1, Buffer.alloc(given.payloadBytes, "x")));
  const task = bytesField(3, payload);
  return Buffer.concat([bytesField(2, Buffer.from(given.tube)), ...Array(given.batch).fill(task)]);
})();

function fail(stream: string, why: string): never {
  process.stderr.write(`${stream}: ${why}\n`);
  process.exit(1);
}

function watch(name: string, stream: GrpcStream): void {
  stream.over.then(
    ({ status, details }) => {
      if (status !== 0) fail(name, `status ${status} ${details}`);
    },
    (error: Error) => {
      if (measured.running) fail(name, error.message);
    },
  );
}

function produce(connection: GrpcConnection): void {
  let underWay = 0;
  let sequence = 0;
  const stream = connection.stream(`${SERVICE}/Produce`, (message) => {
    const fields = new FieldReader(message);
    while (fields.next()) {
      if (fields.field === RESPONSE_ERROR) fail("Produce", "a batch was refused");
      if (fields.field === RESPONSE_SEQUENCE) underWay--;
    }
    more();
  });
  watch("Produce", stream);
  const more = (): void => {
    while (measured.running && underWay < WINDOW && open + given.batch <= given.backlog) {
      underWay++;
      open += given.batch;
      stream.send(Buffer.concat([numberField(1, ++sequence), batchOfPuts]));
    }
  };
  producers.push(more);
  more();
}

function work(connection: GrpcConnection): void {
  let sequence = 0;
  let held: Buffer[] = [];
  let flushing = false;
  const underWay = new Map<number, number>();
  const stream = connection.stream(`${SERVICE}/Work`, (message) => {
    const fields = new FieldReader(message);
    while (fields.next()) {
      if (fields.field === WORK_TASKS) {
        held.push(...leasesOf(message, 1, fields.start, fields.end));
        flushSoon();
      } else if (fields.field === WORK_SETTLED) {
        settled(message, fields.start, fields.end);
      }
    }
  });
  watch("Work", stream);
  const start = Buffer.concat([
    bytesField(1, Buffer.from(given.tube)),
    numberField(2, given.prefetch),
  ]);
  stream.send(bytesField(1, start));

  /** What has come in by the end of this turn goes back in messages as full as they can be. */
  const flushSoon = (): void => {
    if (flushing) return;
    flushing = true;
    setImmediate(() => {
      flushing = false;
      for (let at = 0; at < held.length; at += given.batch) {
        const leases = held.slice(at, at + given.batch);
        underWay.set(++sequence, leases.length);
        const settle = Buffer.concat([numberField(1, sequence), acksField(leases)]);
        stream.send(bytesField(2, settle));
      }
      held = [];
    });
  };
  const settled = (message: Buffer, start: number, end: number): void => {
    const fields = new FieldReader(message, start, end);
    while (fields.next()) {
      if (fields.field === SETTLED_FAILURES) fail("Work", "a lease was refused");
      if (fields.field !== 1) continue;
      const count = underWay.get(fields.value) ?? 0;
      underWay.delete(fields.value);
      open -= count;
      measured.count(count);
    }
    if (open <= 0) whenDrained?.();
    for (const more of producers) more();
  };
}

for (let index = 0; index < given.streams; index++) {
  const connection = await GrpcConnection.open(given.address);
  work(connection);
  produce(connection);
}
await measured.run(given);
if (given.drain && open > 0) {
  await new Promise<void>((resolve) => {
    whenDrained = resolve;
  });
}
measured.report();
process.exit(0);
