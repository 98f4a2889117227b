/**
 * put, take and ack on Tarantool, so many tasks a call, each pair of connections a producer and a
 * worker with several calls at once. Bounded as the load on Usher is.
 */
import { Backlog } from "./backlog.ts";
import { Iproto, packCall } from "./iproto.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly port: number;
  readonly pairs: number;
  /** Tasks in a call. */
  readonly batch: number;
  /** Calls under way on a connection. */
  readonly window: number;
  readonly payloadBytes: number;
}

const BACKLOG = 16_000;

const given = options<Options>();
const measured = new Measured();
const put = packCall("put", [Array(given.batch).fill("x".repeat(given.payloadBytes))]);
const take = packCall("take", [given.batch]);
const backlog = new Backlog(BACKLOG);

async function produce(tarantool: Iproto): Promise<void> {
  while (measured.running) {
    await backlog.reserve(given.batch);
    await tarantool.call(put);
  }
}

async function work(tarantool: Iproto): Promise<void> {
  while (measured.running || !backlog.isEmpty) {
    // What a function returns comes in an array of results.
    const [tasks] = (await tarantool.call(take)) as [[number, number, string][]];
    if (tasks.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    await tarantool.call(packCall("ack", [tasks.map(([id]) => id)]));
    backlog.release(tasks.length);
    measured.count(tasks.length);
  }
}

const loops: Promise<void>[] = [];
for (let pair = 0; pair < given.pairs; pair++) {
  const [producer, worker] = [await Iproto.open(given.port), await Iproto.open(given.port)];
  for (let index = 0; index < given.window; index++) loops.push(produce(producer), work(worker));
}
await Promise.all([measured.run(given), ...loops]);
measured.report();
process.exit(0);
