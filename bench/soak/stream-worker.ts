import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  LeaseBurySchema,
  LeaseReleaseSchema,
  LeaseTouchSchema,
  type Settled,
  SettleSchema,
  type WorkRequestSchema,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import { MessageQueue } from "../../src/cluster/message-queue.ts";
import {
  ackByCall,
  acksAnswered,
  chooseWay,
  type Held,
  receive,
  sendingAcks,
  sendingAway,
} from "./deliveries.ts";
import { between, Connection, chance, pause, type World } from "./world.ts";

const TOUCH_MS = 500;

/** Works by streams, each of which ends sooner or later, now and then by the worker's death. */
export async function workByStreams(world: World): Promise<void> {
  while (world.working) {
    const connection = new Connection(world);
    try {
      await new StreamWorker(world, connection).run();
    } catch {
      // The server was killed, or the worker has died: what is known is in the ledgers.
      await pause(between(50, 200));
    }
    connection.die();
  }
}

class StreamWorker {
  readonly #world: World;
  readonly #connection: Connection;
  readonly #outgoing = new MessageQueue<MessageInitShape<typeof WorkRequestSchema>>();
  /** Of messages that have no answer yet. */
  readonly #acks = new Map<bigint, readonly Held[]>();
  #sequence = 0n;
  /** Messages of tasks after which it half-closes. */
  #left = between(5, 100);

  constructor(world: World, connection: Connection) {
    this.#world = world;
    this.#connection = connection;
  }

  async run(): Promise<void> {
    const tubes = this.#someTubes();
    const value = { tubes, prefetch: between(1, 100) };
    this.#outgoing.push({ message: { case: "start", value } });
    for await (const { message } of this.#connection.queue.work(this.#outgoing)) {
      if (message.case === "settled") this.#answered(message.value);
      if (message.case !== "tasks") continue;
      const held = receive(this.#world, message.value.tasks);
      if (chance(0.01)) {
        this.#world.counts.deaths++;
        return;
      }
      await pause(between(0, 20));
      if (this.#left <= 0) {
        await ackByCall(this.#world, this.#connection.queue, held);
        continue;
      }
      this.#settle(held);
      if (--this.#left === 0) this.#outgoing.end();
      if (!this.#world.working) return;
    }
  }

  #someTubes(): string[] {
    const names = this.#world.tubes.map(({ name }) => name);
    const first = between(0, names.length - 1);
    return [...names.slice(first), ...names.slice(0, first)].slice(0, between(1, 3));
  }

  #answered({ sequence, failures }: Settled): void {
    acksAnswered(this.#world, this.#acks.get(sequence) ?? [], failures);
    this.#acks.delete(sequence);
  }

  #settle(tasks: readonly Held[]): void {
    const acked: Held[] = [];
    const touches: Held[] = [];
    const settle = create(SettleSchema, { sequence: ++this.#sequence });
    for (const held of tasks) {
      const { lease, tube } = held;
      const way = chooseWay(tube);
      if (way === "leave") {
        this.#world.counts.lapses++;
      } else if (way === "release") {
        if (tube.timed) sendingAway(held);
        const delay = tube.timed ? { delay: durationFromMs(between(0, 1_000)) } : {};
        settle.releases.push(create(LeaseReleaseSchema, { lease, ...delay }));
      } else if (way === "bury") {
        sendingAway(held);
        settle.buries.push(create(LeaseBurySchema, { lease }));
      } else {
        if (way === "touch") touches.push(held);
        acked.push(held);
        settle.acks.push(lease);
      }
    }
    if (touches.length > 0) this.#touch(touches);
    sendingAcks(acked);
    this.#acks.set(settle.sequence, acked);
    this.#outgoing.push({ message: { case: "settle", value: settle } });
  }

  #touch(held: readonly Held[]): void {
    const extend = durationFromMs(TOUCH_MS);
    const touches = held.map(({ lease }) => create(LeaseTouchSchema, { lease, extend }));
    const value = { sequence: ++this.#sequence, touches };
    this.#outgoing.push({ message: { case: "settle", value } });
  }
}
