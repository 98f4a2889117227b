/** Tasks put many at a time, got and acked one by one, by mongodb-queue on MongoDB. */
import { promisify } from "node:util";
import driver from "mongodb-legacy-driver";
import mongodbQueue from "mongodb-queue";
import { Backlog } from "./backlog.ts";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly url: string;
  readonly payloadBytes: number;
  readonly batch: number;
  /** Workers that get and ack at once. */
  readonly workers: number;
}

const BACKLOG = 2_000;

const given = options<Options>();
const measured = new Measured();
const backlog = new Backlog(BACKLOG);
const payloads: string[] = Array(given.batch).fill("x".repeat(given.payloadBytes));
const settings = { useUnifiedTopology: true, useNewUrlParser: true, poolSize: given.workers };
const client = await driver.MongoClient.connect(given.url, settings);
const queue = mongodbQueue(client.db(), "bench");
const createIndexes = promisify(queue.createIndexes.bind(queue));
const add = promisify<readonly string[], string>(queue.add.bind(queue));
const get = promisify(queue.get.bind(queue));
const ack = promisify<string, string>(queue.ack.bind(queue));
await createIndexes();

async function produce(): Promise<void> {
  while (measured.running) {
    await backlog.reserve(given.batch);
    await add(payloads);
  }
}

async function work(): Promise<void> {
  while (measured.running) {
    const message = await get();
    if (message === undefined) continue;
    await ack(message.ack);
    backlog.release(1);
    measured.count(1);
  }
}

const loops = [produce(), ...Array.from({ length: given.workers }, () => work())];
await Promise.all([measured.run(given), Promise.race(loops)]);
measured.report();
process.exit(0);
