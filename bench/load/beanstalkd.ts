/**
 * put, reserve, delete on beanstalkd, each pair of connections a producer and a worker, with many
 * commands in one write. Bounded as the load on Usher is.
 */
import { Backlog } from "./backlog.ts";
import { LineSocket } from "./line-socket.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly port: number;
  readonly pairs: number;
  /** Commands in a write. */
  readonly batch: number;
  readonly payloadBytes: number;
}

const BACKLOG = 16_000;
const TTR_SECONDS = 600;

const given = options<Options>();
const measured = new Measured();
const body = "x".repeat(given.payloadBytes);
const put = `put 0 0 ${TTR_SECONDS} ${given.payloadBytes}\r\n${body}\r\n`.repeat(given.batch);
const reserve = "reserve-with-timeout 0\r\n".repeat(given.batch);
const backlog = new Backlog(BACKLOG);

async function produce(): Promise<void> {
  const socket = await LineSocket.open(given.port);
  while (measured.running) {
    await backlog.reserve(given.batch);
    socket.write(put);
    for (let index = 0; index < given.batch; index++) {
      const answer = await socket.line();
      if (!answer.startsWith("INSERTED ")) throw new Error(`put: ${answer}`);
    }
  }
}

async function work(): Promise<void> {
  const socket = await LineSocket.open(given.port);
  while (measured.running || !backlog.isEmpty) {
    socket.write(reserve);
    const ids: string[] = [];
    for (let index = 0; index < given.batch; index++) {
      const [word, id] = (await socket.line()).split(" ");
      if (word === "TIMED_OUT") continue;
      if (word !== "RESERVED" || id === undefined) throw new Error(`reserve: ${word}`);
      await socket.skip(given.payloadBytes + 2);
      ids.push(id);
    }
    if (ids.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    socket.write(ids.map((id) => `delete ${id}\r\n`).join(""));
    for (const id of ids) {
      const answer = await socket.line();
      if (answer !== "DELETED") throw new Error(`delete ${id}: ${answer}`);
    }
    backlog.release(ids.length);
    measured.count(ids.length);
  }
}

const pairs = Array.from({ length: given.pairs }, () => [produce(), work()]).flat();
await Promise.all([measured.run(given), ...pairs]);
measured.report();
process.exit(0);
