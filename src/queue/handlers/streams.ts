import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import {
  type ProduceRequest,
  type ProduceResponseSchema,
  type Settle,
  type SettledSchema,
  TaskChange,
  type WatchResponseSchema,
  type WorkRequest,
  type WorkResponseSchema,
  type WorkStart,
} from "../../../gen/usher/queue/v1/stream_pb.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import { durationMs, positiveDurationMs } from "../../base/request-fields.ts";
import type { QueueEngine } from "../engine.ts";
import type { Consumer } from "../rules/consumer.ts";
import { MAX_BATCH } from "../rules/limits.ts";
import type { Failure, Settlement } from "../rules/settling.ts";
import type { TaskView } from "../rules/task-view.ts";
import type { TaskChanged } from "../rules/watching.ts";
import { jsonBytes } from "./json-payload-size.ts";
import type { QueueHandlerOptions } from "./options.ts";
import {
  atMost,
  batch,
  countUpTo,
  newTask,
  reasonText,
  sessionId,
  tubeName,
} from "./request-fields.ts";
import { StreamAnswers } from "./stream-answers.ts";
import { failureMessage, taskMessage } from "./task-answers.ts";

/** Of a worker that names none: enough for short tasks, and long ones are shared by workers. */
export const DEFAULT_PREFETCH = 32;

type WorkResponse = MessageInitShape<typeof WorkResponseSchema>;
/** What a worker is told. It becomes a response when its turn comes. */
interface WorkMessage {
  readonly tasks?: readonly TaskView[];
  /** Of the tasks. */
  readonly bytes?: number;
  readonly settled?: MessageInitShape<typeof SettledSchema>;
  readonly ended?: string[];
}
type ProduceResponse = MessageInitShape<typeof ProduceResponseSchema>;
type WatchResponse = MessageInitShape<typeof WatchResponseSchema>;
type StreamHandlers = Pick<ServiceImpl<typeof QueueService>, "work" | "produce" | "watch">;

export function streamHandlers({ engine, maxTaskBytes }: QueueHandlerOptions): StreamHandlers {
  return {
    work: (requests, context) => work(engine, requests, context.signal),
    produce: (requests, { signal }) =>
      produce(requests, signal, {
        put: (request) => putBatch(engine, request, signal, maxTaskBytes),
        onDrain: (callback) => engine.onDrain(callback),
      }),
    watch: (request, context) =>
      watch(engine, tubeName("tube", request.tube), request.includePayload, context.signal),
  };
}

async function* work(
  engine: QueueEngine,
  requests: AsyncIterable<WorkRequest>,
  signal: AbortSignal,
): AsyncGenerator<WorkResponse> {
  const answers = new StreamAnswers<WorkMessage>(signal);
  let consumer: Consumer | undefined;
  answers.follow(async () => {
    for await (const { message } of requests) {
      if (consumer === undefined) {
        if (message.case !== "start") throw invalid("start", "must come first");
        consumer = start(engine, message.value, answers);
      } else if (message.case === "settle") {
        await settle(consumer, message.value, answers);
      } else if (message.case === "prefetch") {
        consumer.setPrefetch(atMost("prefetch", message.value, MAX_BATCH));
      } else {
        throw invalid(message.case ?? "settle", "must be a settle or a prefetch message");
      }
    }
    await consumer?.drain();
  });
  const forget = engine.onDrain((error) => answers.fail(error));
  try {
    for await (const message of answers) {
      if (message.bytes !== undefined) consumer?.read(message.bytes);
      yield workResponse(message);
    }
  } finally {
    forget();
    if (consumer !== undefined) {
      const undelivered = answers.unread().flatMap(({ tasks }) => tasks ?? []);
      engine.endConsumer(consumer, undelivered);
    }
  }
}

function workResponse({ tasks = [], settled, ended }: WorkMessage): WorkResponse {
  if (settled !== undefined) return { message: { case: "settled", value: settled } };
  if (ended !== undefined) return { message: { case: "ended", value: { leases: ended } } };
  return { message: { case: "tasks", value: { tasks: tasks.map(taskMessage) } } };
}

function start(
  engine: QueueEngine,
  message: WorkStart,
  answers: StreamAnswers<WorkMessage>,
): Consumer {
  const tubes = batch("start.tubes", message.tubes);
  return engine.consume({
    tubes: tubes.map((tube, index) => tubeName(`start.tubes[${index}]`, tube)),
    prefetch: countUpTo("start.prefetch", message.prefetch, MAX_BATCH, DEFAULT_PREFETCH),
    session: sessionId("start.session", message.session),
    tellsBegun: message.tellsBegun,
    deliver: (tasks, bytes) => answers.push({ tasks, bytes }),
    leaseEnded: message.tellEnded ? (lease) => answers.push({ ended: [lease] }) : undefined,
    ended: (error) => answers.fail(error),
  });
}

/** Throws INVALID_PARAMS for too many leases in one settlement. */
export function checkSettle(settle: Settle): void {
  const { acks, releases, buries, touches, giveBacks, begun } = settle;
  const ended = acks.length + releases.length + buries.length + giveBacks.length;
  const count = ended + touches.length + begun.length;
  if (count > MAX_BATCH) throw invalid("settle", `has more than ${MAX_BATCH} leases`);
}

/** Resolves when the settlement is on its way; its answer follows when it is durable. */
function settle(
  consumer: Consumer,
  message: Settle,
  answers: StreamAnswers<WorkMessage>,
): Promise<void> {
  checkSettle(message);
  const { sequence, acks, releases, buries, touches, giveBacks, begun } = message;
  const failures: Failure[] = [];
  const settlements: Settlement[] = acks.map((lease) => ({ kind: "ack", lease }));
  const add = (lease: string, read: () => Settlement): void => {
    try {
      settlements.push(read());
    } catch (error) {
      // A bad entry fails alone; the stream goes on.
      if (!(error instanceof UsherError)) throw error;
      failures.push({ lease, error });
    }
  };
  for (const { lease, delay, reason } of releases) {
    add(lease, () => ({
      kind: "release",
      lease,
      delayMs: durationMs("delay", delay),
      reason: reasonText("reason", reason),
    }));
  }
  for (const { lease, reason } of buries) {
    add(lease, () => ({ kind: "bury", lease, reason: reasonText("reason", reason) }));
  }
  for (const { lease, extend } of touches) {
    add(lease, () => {
      const extendMs = positiveDurationMs("extend", extend);
      if (extendMs === undefined) throw invalid("extend", "is required");
      return { kind: "touch", lease, extendMs };
    });
  }
  return answers.answerLater(async () => {
    failures.push(...consumer.begin(begun));
    failures.push(...consumer.giveBack(giveBacks));
    failures.push(...(await consumer.settle(settlements)));
    return { settled: { sequence, failures: failures.map(failureMessage) } };
  });
}

/** What a producer's stream needs of the queues behind it. */
export interface ProduceParts {
  /** Puts one batch. A rejection ends the stream. */
  readonly put: (request: ProduceRequest) => Promise<ProduceResponse>;
  /** Calls back when the stream has to end. Returns a function that takes that back. */
  readonly onDrain: (callback: (error: UsherError) => void) => () => void;
}

/** A producer's stream: answers each batch when it is put, several under way at once. */
export async function* produce(
  requests: AsyncIterable<ProduceRequest>,
  signal: AbortSignal,
  { put, onDrain }: ProduceParts,
): AsyncGenerator<ProduceResponse> {
  const answers = new StreamAnswers<ProduceResponse>(signal);
  answers.follow(async () => {
    for await (const request of requests) {
      await answers.answerLater(() => put(request), payloadBytes(request));
    }
  });
  const forget = onDrain((error) => answers.fail(error));
  try {
    yield* answers;
  } finally {
    forget();
  }
}

/** About how many bytes a batch keeps in memory while it waits. */
function payloadBytes({ tasks }: ProduceRequest): number {
  let bytes = 0;
  for (const { payload } of tasks) {
    const content = payload?.content;
    if (content?.case === "data") bytes += content.value.byteLength;
    else if (content?.case === "text") bytes += content.value.length;
    else if (content?.case === "json") bytes += jsonBytes(content.value);
  }
  return bytes;
}

function putBatch(
  engine: QueueEngine,
  { sequence, tube, tasks, wait }: ProduceRequest,
  signal: AbortSignal,
  maxTaskBytes: number,
): Promise<ProduceResponse> {
  return answerBatch(sequence, async () => {
    const field = (index: number): string => `tasks[${index}]`;
    const { ids, duplicates } = await engine.put(
      tubeName("tube", tube),
      batch("tasks", tasks).map((task, index) => newTask(field(index), task, maxTaskBytes)),
      { waitMs: durationMs("wait", wait) ?? 0, signal, field },
    );
    return { ids: ids.map(BigInt), duplicates };
  });
}

/** A batch that is refused fails alone; the stream goes on. */
export async function answerBatch(
  sequence: bigint,
  put: () => Promise<{ ids: bigint[]; duplicates: number[] }>,
): Promise<ProduceResponse> {
  try {
    const { ids, duplicates } = await put();
    return { sequence, ids, duplicates };
  } catch (error) {
    if (!(error instanceof UsherError)) throw error;
    return { sequence, error: { reason: error.reason, message: error.message } };
  }
}

async function* watch(
  engine: QueueEngine,
  tube: string,
  includePayload: boolean,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const watcher = engine.watch(tube, includePayload);
  const end = (): void => watcher.end();
  signal.addEventListener("abort", end, { once: true });
  try {
    for (let batch = await watcher.next(); batch !== undefined; batch = await watcher.next()) {
      for (const event of batch.events) {
        yield { message: { case: "event", value: eventMessage(event) } };
      }
      if (batch.missed > 0) yield { message: { case: "missed", value: BigInt(batch.missed) } };
    }
  } finally {
    signal.removeEventListener("abort", end);
    watcher.end();
  }
}

function eventMessage({ change, task, tube, at }: TaskChanged) {
  return {
    change: TaskChange[change],
    task: task === undefined ? { tube } : taskMessage(task),
    time: timestampFromMs(at),
  };
}
