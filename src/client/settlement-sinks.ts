import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import {
  LeaseBurySchema,
  LeaseReleaseSchema,
  LeaseTouchSchema,
  type Settle,
  type Settled,
  SettleSchema,
  WorkRequestSchema,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import type { LeaseFailure } from "../../gen/usher/queue/v1/task_pb.ts";
import type { Calls } from "./calls.ts";
import { refusal, type UsherClientError } from "./errors.ts";
import type { Settlement, SettleSink } from "./settler.ts";
import type { OpenStream } from "./transport.ts";

type Errors = ReadonlyMap<string, UsherClientError>;

/** Settles by numbered messages on an open Work stream. */
export class StreamSink implements SettleSink {
  readonly #stream: OpenStream<typeof WorkRequestSchema>;
  readonly #underWay = new Map<bigint, PromiseWithResolvers<Errors>>();
  #sequence = 0n;
  #broken: UsherClientError | undefined;

  constructor(stream: OpenStream<typeof WorkRequestSchema>) {
    this.#stream = stream;
  }

  settle(settlements: readonly Settlement[]): Promise<Errors> {
    const answer = Promise.withResolvers<Errors>();
    if (this.#broken !== undefined) {
      answer.reject(this.#broken);
      return answer.promise;
    }
    const settle = toSettle(settlements);
    settle.sequence = ++this.#sequence;
    this.#underWay.set(settle.sequence, answer);
    const request = create(WorkRequestSchema);
    request.message = { case: "settle", value: settle };
    this.#stream.send(request);
    return answer.promise;
  }

  answered({ sequence, failures }: Settled): void {
    this.#underWay.get(sequence)?.resolve(toErrors(failures));
    this.#underWay.delete(sequence);
  }

  /** Fails what has no answer: none will come. */
  broken(error: UsherClientError): void {
    this.#broken = error;
    for (const { reject } of this.#underWay.values()) reject(error);
    this.#underWay.clear();
  }
}

/** Settles by single calls and batches, for a worker whose stream takes no more. */
export class CallsSink implements SettleSink {
  readonly #queue: Calls<typeof QueueService>;

  constructor(queue: Calls<typeof QueueService>) {
    this.#queue = queue;
  }

  async settle(settlements: readonly Settlement[]): Promise<Errors> {
    const queue = this.#queue;
    const errors = new Map<string, UsherClientError>();
    const run = async (
      leases: readonly string[],
      call: Promise<{ failures?: readonly LeaseFailure[] }>,
    ): Promise<void> => {
      try {
        const { failures = [] } = await call;
        for (const [lease, error] of toErrors(failures)) errors.set(lease, error);
      } catch (error) {
        for (const lease of leases) errors.set(lease, error as UsherClientError);
      }
    };
    const { acks, releases, buries, touches } = toSettle(settlements);
    const calls: Promise<void>[] = [];
    if (acks.length > 0) calls.push(run(acks, queue.batchAck({ leases: acks })));
    // BatchRelease has one delay and one reason for all its leases.
    const alike = Object.groupBy(releases, ({ delay, reason }) =>
      [delay?.seconds, delay?.nanos, reason].join(),
    );
    for (const group of Object.values(alike)) {
      const [first] = group ?? [];
      if (group === undefined || first === undefined) continue;
      const { delay, reason } = first;
      const leases = group.map(({ lease }) => lease);
      calls.push(run(leases, queue.batchRelease({ leases, reason, ...(delay && { delay }) })));
    }
    for (const { lease, reason } of buries) {
      calls.push(run([lease], queue.bury({ lease, reason }).then(nothing)));
    }
    for (const { lease, extend } of touches) {
      calls.push(run([lease], queue.touch({ lease, ...(extend && { extend }) }).then(nothing)));
    }
    await Promise.all(calls);
    return errors;
  }
}

function nothing(): object {
  return {};
}

function toSettle(settlements: readonly Settlement[]): Settle {
  const message = create(SettleSchema);
  for (const { held, kind, delayMs, reason = "", extendMs = 0 } of settlements) {
    const { lease } = held;
    switch (kind) {
      case "ack":
        message.acks.push(lease);
        break;
      case "release": {
        const delay = delayMs === undefined ? {} : { delay: durationFromMs(delayMs) };
        message.releases.push(create(LeaseReleaseSchema, { lease, reason, ...delay }));
        break;
      }
      case "bury":
        message.buries.push(create(LeaseBurySchema, { lease, reason }));
        break;
      case "touch":
        // Sent together, the touch could come after the settlement that ends the lease.
        if (held.isSettled) break;
        message.touches.push(create(LeaseTouchSchema, { lease, extend: durationFromMs(extendMs) }));
    }
  }
  return message;
}

function toErrors(failures: readonly LeaseFailure[]): Errors {
  return new Map(failures.map((failure) => [failure.lease, refusal(failure)]));
}
