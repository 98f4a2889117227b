/** Puts by BullMQ's addBulk and handling by its Worker, a call of the handler for each job. */
import { Queue, Worker } from "bullmq";
import { Backlog } from "./backlog.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly port: number;
  readonly payloadBytes: number;
  /** Jobs in an addBulk. */
  readonly batch: number;
  /** addBulks under way. */
  readonly atOnce: number;
  /** Handlers that run at once. */
  readonly concurrency: number;
}

/** More would only make the first jobs of a round wait behind their puts. */
const BACKLOG = 2_000;
const NAME = "bench";

const given = options<Options>();
const measured = new Measured();
const backlog = new Backlog(BACKLOG);
const connection = { host: "127.0.0.1", port: given.port, maxRetriesPerRequest: null };
const payload = "x".repeat(given.payloadBytes);
const jobs = Array.from({ length: given.batch }, () => ({ name: "job", data: { payload } }));
const queue = new Queue(NAME, {
  connection,
  defaultJobOptions: { removeOnComplete: true },
});

async function produce(): Promise<void> {
  while (measured.running) {
    await backlog.reserve(given.batch);
    await queue.addBulk(jobs);
  }
}

const worker = new Worker(
  NAME,
  async ({ data }) => {
    if (data.payload !== payload) throw new Error("this is not what was put");
  },
  { connection, concurrency: given.concurrency },
);
worker.on("completed", () => {
  backlog.release(1);
  measured.count(1);
});

const loops = Array.from({ length: given.atOnce }, () => produce());
await Promise.all([measured.run(given), ...loops]);
measured.report();
while (!backlog.isEmpty) await new Promise((resolve) => setTimeout(resolve, 5));
await worker.close();
await queue.close();
