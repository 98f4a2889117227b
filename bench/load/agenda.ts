/** Jobs put one by one and handled by Agenda, many at once, on MongoDB. */
import { MongoBackend } from "@agendajs/mongo-backend";
import { Agenda } from "agenda";
import { Backlog } from "./backlog.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly url: string;
  readonly payloadBytes: number;
  /** Jobs that are put at once. */
  readonly puts: number;
  /** Jobs that are handled at once. */
  readonly concurrency: number;
}

/** Of those that were tried, these two gave the most. */
const BACKLOG = 200;
const POLL_MS = 50;

const given = options<Options>();
const measured = new Measured();
const backlog = new Backlog(BACKLOG);
const payload = "x".repeat(given.payloadBytes);
const agenda = new Agenda({
  backend: new MongoBackend({ address: given.url }),
  processEvery: POLL_MS,
  maxConcurrency: given.concurrency,
  defaultConcurrency: given.concurrency,
  removeOnComplete: true,
});
agenda.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
agenda.define("job", async (job) => {
  if (job.attrs.data.payload !== payload) throw new Error("this is not what was put");
});
agenda.on("complete:job", () => {
  backlog.release(1);
  measured.count(1);
});
await agenda.start();

async function produce(): Promise<void> {
  while (measured.running) {
    await backlog.reserve(1);
    await agenda.now("job", { payload });
  }
}

const loops = Array.from({ length: given.puts }, () => produce());
await Promise.all([measured.run(given), ...loops]);
measured.report();
process.exit(0);
