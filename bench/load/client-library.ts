/**
 * Puts by the client library's Producer and handling by its Worker, as user code does it: a promise
 * for each put, a call of the handler for each task.
 */
import { UsherClient } from "../../src/client/index.ts";
import { Backlog } from "./backlog.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly address: string;
  readonly tube: string;
  readonly payloadBytes: number;
  /** Puts that may be without an answer. */
  readonly atOnce: number;
  /** Handlers that run at once. */
  readonly concurrency: number;
  readonly prefetch: number;
}

const BACKLOG = 16_000;

const given = options<Options>();
const measured = new Measured();
const backlog = new Backlog(BACKLOG);
const payload = "x".repeat(given.payloadBytes);
const puts = UsherClient.connect(given.address);
const takes = UsherClient.connect(given.address);
const producer = puts.producer();

async function produce(): Promise<void> {
  while (measured.running) {
    await backlog.reserve(1);
    await producer.put(given.tube, { payload });
  }
}

const worker = takes.worker({
  tubes: [given.tube],
  concurrency: given.concurrency,
  prefetch: given.prefetch,
  handler: async (task) => {
    if (task.payload !== payload) throw new Error("this is not what was put");
    backlog.release(1);
    measured.count(1);
  },
  onError(error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
});

const loops = Array.from({ length: given.atOnce }, () => produce());
await Promise.all([measured.run(given), ...loops]);
measured.report();
await producer.close();
while (!backlog.isEmpty) await new Promise((resolve) => setTimeout(resolve, 5));
await worker.close();
await Promise.all([puts.close(), takes.close()]);
