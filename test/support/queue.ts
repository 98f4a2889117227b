import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type {
  ProduceRequestSchema,
  ProduceResponse,
  WorkStartSchema,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import type { NewTaskSchema, Task } from "../../gen/usher/queue/v1/task_pb.ts";
import {
  type TaskCounts,
  TubeKind,
  type TubeSchema,
  type TubeStatistics,
} from "../../gen/usher/queue/v1/tube_pb.ts";
import { Exchange, WatchStream, WorkStream } from "./queue-streams.ts";
import { type Addresses, clientOf, type Way } from "./service.ts";

type QueueClient = Client<typeof QueueService>;
export type NewTask = Init<typeof NewTaskSchema>;
type TubeSettings = Omit<Init<typeof TubeSchema>, "name" | "kind">;
/** A message to be made, and not one that is. */
type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, Message>;
type KindName = Exclude<keyof typeof TubeKind, "UNSPECIFIED">;

/** The ways that carry streams in both directions, which HTTP/1.1 does not. */
export const streamWays = [
  "gRPC on the gRPC port",
  "gRPC on the HTTP port",
  "Connect",
] as const satisfies readonly Way[];

/** A client of QueueService with the shortcuts that most tests want. */
export class Queue {
  readonly client: QueueClient;

  constructor(client: QueueClient) {
    this.client = client;
  }

  static of(usher: Addresses, way?: Way): Queue {
    return new Queue(clientOf(usher, QueueService, way));
  }

  async tube(name: string, kind: KindName = "FIFO", settings: TubeSettings = {}): Promise<void> {
    await this.client.createTube({ tube: { ...settings, name, kind: TubeKind[kind] } });
  }

  /** Puts one task and returns its id. */
  async put(tube: string, value: string, more: Omit<NewTask, "payload"> = {}): Promise<bigint> {
    const { task } = await this.client.put({ tube, task: text(value, more) });
    assert.ok(task);
    return task.id;
  }

  async take(tube: string, options: { wait?: number; session?: string } = {}): Promise<Task> {
    const [task] = await this.takeUpTo(1, tube, options);
    assert.ok(task, `a task of ${tube} can be taken`);
    return task;
  }

  /** `wait` is in milliseconds. */
  async takeUpTo(
    maxTasks: number,
    tube: string,
    { wait = 0, session = "" }: { wait?: number; session?: string } = {},
  ): Promise<Task[]> {
    return (await this.client.take({ tube, maxTasks, wait: ms(wait), session })).tasks;
  }

  /** The texts of the tasks that can be taken now, which are leased then. */
  async takeAllTexts(tube: string): Promise<string[]> {
    return texts(await this.takeUpTo(10_000, tube));
  }

  /** Tasks by state, as numbers; those of which there are none are left out. */
  async counts(tube: string): Promise<Partial<Record<keyof TaskCounts, number>>> {
    const { ready, leased, buried, delayed } = (await this.statistics(tube)).tasks ?? {};
    const all = Object.entries({ ready, leased, buried, delayed });
    return Object.fromEntries(
      all.filter(([, n]) => n !== 0n).map(([name, n]) => [name, Number(n)]),
    );
  }

  async statistics(tube: string): Promise<TubeStatistics> {
    const [statistics] = (await this.client.getStatistics({ tube })).tubes;
    assert.ok(statistics);
    return statistics;
  }

  /** Resolves when so many takers, or puts, wait at the tube. */
  async waiting(tube: string, count: number, which: "Takers" | "Puts" = "Takers"): Promise<void> {
    await until(
      async () => (await this.statistics(tube))[`waiting${which}`] === BigInt(count),
      `${count} waiting ${which} at ${tube}`,
    );
  }

  /** Resolves when the counts of the tube are these. */
  async becomes(tube: string, counts: Partial<Record<keyof TaskCounts, number>>): Promise<void> {
    let last: unknown;
    await until(
      async () => {
        last = await this.counts(tube);
        return JSON.stringify(sorted(last)) === JSON.stringify(sorted(counts));
      },
      () => `${JSON.stringify(counts)} in ${tube}, which has ${JSON.stringify(last)}`,
    );
  }

  /** A worker's stream on which nothing is sent yet. */
  open(): WorkStream {
    return new WorkStream(this.client);
  }

  work(start: Init<typeof WorkStartSchema>): WorkStream {
    const stream = this.open();
    stream.send({ case: "start", value: start });
    return stream;
  }

  produce(): Exchange<Init<typeof ProduceRequestSchema>, ProduceResponse> {
    return new Exchange((requests, options) => this.client.produce(requests, options));
  }

  /** A watcher of an empty tube that is there already: what happens from now on is seen. */
  async watch(tube: string, includePayload = false): Promise<WatchStream> {
    const stream = new WatchStream(this.client, tube, includePayload);
    await stream.begin(this.client, tube);
    return stream;
  }
}

/** A task with a text for its payload. */
export function text(value: string, more: Omit<NewTask, "payload"> = {}): NewTask {
  return { ...more, payload: { content: { case: "text", value } } };
}

/** A text that is as long on the wire as it is here. */
export function incompressible(length: number): string {
  return randomBytes(length).toString("base64").slice(0, length);
}

export function textOf({ payload }: Task): string {
  assert.equal(payload?.content.case, "text");
  return payload.content.value;
}

export function texts(tasks: readonly Task[]): string[] {
  return tasks.map(textOf);
}

/** A length of time for a request, from milliseconds. */
export const ms = durationFromMs;

/** A time of a message in milliseconds since the Unix epoch. */
export function atMs(time: { seconds: bigint; nanos: number } | undefined): number {
  assert.ok(time, "the time is set");
  return Number(time.seconds) * 1_000 + time.nanos / 1e6;
}

/** Milliseconds between two times of messages. */
export function msBetween(
  ...times: [Parameters<typeof atMs>[0], Parameters<typeof atMs>[0]]
): number {
  const [from, to] = times.map(atMs) as [number, number];
  return to - from;
}

/** Resolves when the probe holds; how long that takes is the machine's affair. */
export async function until(
  probe: () => boolean | Promise<boolean>,
  what: string | (() => string),
): Promise<void> {
  for (let turn = 0; !(await probe()); turn++) {
    // Said at last by the test's own limit, of which this is well short.
    if (turn === 20_000) assert.fail(`never: ${typeof what === "string" ? what : what()}`);
    await sleep(2);
  }
}

/** How a call failed: its status and reason, as in "FailedPrecondition LEASE_LOST". */
export async function failure(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    (answer) => assert.fail(`it was answered: ${JSON.stringify(answer, bigintsToStrings)}`),
    (error: unknown) => error,
  );
  return describeError(error);
}

export function describeError(error: unknown): string {
  if (!(error instanceof ConnectError)) throw error;
  const [info] = error.findDetails(ErrorInfoSchema);
  const fields = error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
  return [Code[error.code], info?.reason, ...fields].filter(Boolean).join(" ");
}

function bigintsToStrings(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

function sorted(of: unknown): unknown {
  return Object.entries(of as object).sort();
}
