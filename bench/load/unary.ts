/**
 * Unary calls, so many at once, each over one connection and sent again as soon as it is answered.
 * Measures how many there are and how long each takes.
 */
import { GrpcConnection } from "./grpc-connection.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly address: string;
  readonly path: string;
  /** Request messages in base64; sent in turn. */
  readonly bodies: readonly string[];
  readonly atOnce: number;
  /** The gRPC status that every call must have; 0 if not given. */
  readonly status?: number;
}

const given = options<Options>();
const bodies = given.bodies.map((body) => Buffer.from(body, "base64"));
const measured = new Measured();
const connection = await GrpcConnection.open(given.address);
let turn = 0;

async function call(): Promise<void> {
  while (measured.running) {
    const body = bodies[turn++ % bodies.length] as Buffer;
    const startedAt = performance.now();
    const { status } = await connection.unary(given.path, body);
    if (status !== (given.status ?? 0)) throw new Error(`${given.path} has status ${status}`);
    measured.took(performance.now() - startedAt);
    measured.count(1);
  }
}

const calls = Array.from({ length: given.atOnce }, () => call());
await Promise.all([measured.run(given), ...calls]);
measured.report();
connection.close();
