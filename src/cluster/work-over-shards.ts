import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Settle,
  type SettleSchema,
  type WorkRequest,
  type WorkStart,
  WorkStartSchema,
} from "../../gen/usher/queue/v1/stream_pb.ts";
import type { LeaseFailureSchema, TaskSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { invalid, UsherError } from "../base/errors.ts";
import { atMost, countUpTo } from "../queue/handlers/request-fields.ts";
import { StreamAnswers } from "../queue/handlers/stream-answers.ts";
import { checkSettle, DEFAULT_PREFETCH } from "../queue/handlers/streams.ts";
import { MAX_BATCH } from "../queue/rules/limits.ts";
import { byShard } from "./batches-by-shard.ts";
import { MessageQueue } from "./message-queue.ts";
import { isMoved, type Router } from "./shard-router.ts";
import { giveBack } from "./undo-take.ts";
import { type WorkResponse, workRequest } from "./work-messages.ts";

type Task = MessageInitShape<typeof TaskSchema>;
type Failure = MessageInitShape<typeof LeaseFailureSchema>;

/** One part of a worker's stream: the stream of one shard. */
export interface Part {
  readonly shard: number;
  readonly start: WorkStart;
  readonly requests: MessageQueue<WorkRequest>;
  /** Leases of this part that the worker holds. */
  readonly unsettled: Set<string>;
  /** How many tasks it was last allowed to hold. */
  prefetch: number;
  /** It sent a task when there was no room for it. */
  owed: boolean;
  /** Settlements that it has not answered, by their sequence numbers. */
  readonly settlements: Map<bigint, PromiseWithResolvers<Failure[]>>;
  nextSequence: bigint;
  /** Its stream has ended, and it answers nothing more. */
  over: boolean;
}

/** Something for the worker. `read` is called when the worker reads it. */
interface Told {
  readonly response: WorkResponse;
  /** The tasks in it. */
  readonly tasks?: readonly Task[];
  readonly read?: () => void;
}

/** A settlement of leases of one shard. */
type SettlePart = Omit<MessageInitShape<typeof SettleSchema>, "sequence" | "$typeName">;

/** A part that had to take a task back may send it again within this time. */
const OWED_MS = 20;

/**
 * A worker's stream over several shards, with one part for each. The parts share the prefetch: what
 * is free is dealt out among them. While any is free each part may send at least one task. Tasks
 * beyond the prefetch are given back as if never taken.
 */
export class SharedWork {
  readonly #router: Router;
  readonly #start: WorkStart;
  readonly #answers: StreamAnswers<Told>;
  readonly #parts = new Map<number, Part>();
  #prefetch: number;
  #running = 0;
  #allEnded: (() => void) | undefined;
  #owedTimer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(router: Router, start: WorkStart, signal: AbortSignal) {
    this.#router = router;
    this.#start = start;
    this.#prefetch = countUpTo("start.prefetch", start.prefetch, MAX_BATCH, DEFAULT_PREFETCH);
    this.#answers = new StreamAnswers<Told>(signal);
  }

  /** Makes the part of a shard. It takes nothing before `run`. */
  addPart(shard: number, tubes: string[]): Part {
    const { session, tellsBegun } = this.#start;
    // Each begins with one. The rest is dealt out when all parts are there.
    const fields = { tubes, session, prefetch: 1, tellEnded: true, tellsBegun };
    const start = create(WorkStartSchema, fields);
    const part: Part = {
      shard,
      start,
      requests: new MessageQueue(),
      unsettled: new Set(),
      prefetch: 1,
      owed: false,
      settlements: new Map(),
      nextSequence: 1n,
      over: false,
    };
    part.requests.push(workRequest({ case: "start", value: start }));
    this.#parts.set(shard, part);
    return part;
  }

  /** Reads what the shard of a part sends. */
  run(part: Part, responses: AsyncIterable<WorkResponse>): void {
    this.#running++;
    void this.#follow(part, responses);
  }

  /** The answers to the worker, while its requests go to the parts. */
  async *answer(requests: AsyncIterable<WorkRequest>): AsyncGenerator<WorkResponse> {
    this.#deal();
    this.#answers.follow(async () => {
      for await (const { message } of requests) await this.#hear(message);
      for (const part of this.#parts.values()) part.requests.end();
      await new Promise<void>((resolve) => {
        this.#allEnded = resolve;
        if (this.#running === 0) resolve();
      });
    });
    try {
      for await (const { response, read } of this.#answers) {
        read?.();
        yield response;
      }
    } catch (error) {
      // A shard that moves is not the worker's failure, so no attempt is used.
      if (isMoved(error)) {
        giveBack(
          this.#router,
          [...this.#parts.values()].flatMap(({ unsettled }) => [...unsettled]),
        );
      }
      throw error;
    } finally {
      this.#over = true;
      clearTimeout(this.#owedTimer);
      const unread = this.#answers.unread();
      giveBack(
        this.#router,
        unread.flatMap(({ tasks = [] }) => tasks.map(({ lease = "" }) => lease)),
      );
      for (const part of this.#parts.values()) part.requests.break();
      for (const { read } of unread) read?.();
    }
  }

  async #hear(message: WorkRequest["message"]): Promise<void> {
    if (message.case === "settle") {
      await this.#settle(message.value);
    } else if (message.case === "prefetch") {
      this.#prefetch = atMost("prefetch", message.value, MAX_BATCH);
      this.#deal();
    } else {
      throw invalid(message.case ?? "settle", "must be a settle or a prefetch message");
    }
  }

  async #follow(part: Part, responses: AsyncIterable<WorkResponse>): Promise<void> {
    try {
      for await (const { message } of responses) {
        if (this.#over) break;
        if (message?.case === "tasks") {
          await this.#tell(part, message.value.tasks ?? []);
        } else if (message?.case === "settled") {
          const { sequence = 0n, failures = [] } = message.value;
          part.settlements.get(sequence)?.resolve(failures);
          part.settlements.delete(sequence);
        } else if (message?.case === "ended") {
          this.#leasesEnded(part, message.value.leases ?? []);
        }
      }
    } catch (error) {
      this.#answers.fail(error);
    } finally {
      part.over = true;
      // These will never be answered.
      for (const { reject } of part.settlements.values()) reject(unanswered());
      this.#running--;
      if (this.#running === 0) this.#allEnded?.();
    }
  }

  /** Resolves when the worker is about to read the tasks, so that no shard sends ahead of it. */
  async #tell(part: Part, tasks: readonly Task[]): Promise<void> {
    const room = Math.max(0, this.#prefetch - this.#unsettled);
    const taken = tasks.slice(0, room);
    const excess = tasks.slice(room).map(({ lease = "" }) => lease);
    for (const { lease = "" } of taken) part.unsettled.add(lease);
    part.owed = excess.length > 0;
    this.#deal();
    // Its prefetch is lowered first, or it would send them again.
    if (excess.length > 0) this.#send(part, { giveBacks: excess }).catch(() => {});
    if (taken.length === 0) return;
    await new Promise<void>((resolve) => {
      const response: WorkResponse = { message: { case: "tasks", value: { tasks: taken } } };
      this.#answers.push({ response, tasks: taken, read: resolve });
    });
  }

  #leasesEnded(part: Part, leases: readonly string[]): void {
    for (const lease of leases) part.unsettled.delete(lease);
    if (this.#start.tellEnded) {
      const ended = { leases: [...leases] };
      this.#answers.push({ response: { message: { case: "ended", value: ended } } });
    }
    this.#deal();
  }

  /** Resolves when the settlement is on its way; its answer follows when every part has answered. */
  async #settle(settle: Settle): Promise<void> {
    checkSettle(settle);
    const { sequence } = settle;
    const answers: Promise<Failure[]>[] = [];
    for (const [shard, message] of splitSettle(settle)) {
      const part = this.#parts.get(shard);
      answers.push(part === undefined ? allLost(message) : this.#settlePart(part, message));
    }
    this.#deal();
    const all = Promise.all(answers);
    // After a failure of the stream nobody asks for them.
    all.catch(() => {});
    await this.#answers.answerLater(async () => {
      const failures = (await all).flat();
      return { response: { message: { case: "settled", value: { sequence, failures } } } };
    });
  }

  async #settlePart(part: Part, message: SettlePart): Promise<Failure[]> {
    for (const lease of endedBy(message)) part.unsettled.delete(lease);
    const failures = await this.#send(part, message);
    // A settlement that was no good leaves the lease as it was.
    for (const { lease = "", reason } of failures) {
      if (reason !== "LEASE_LOST") part.unsettled.add(lease);
    }
    return failures;
  }

  #send(part: Part, message: SettlePart): Promise<Failure[]> {
    if (part.over) return Promise.reject(unanswered());
    const sequence = part.nextSequence++;
    part.requests.push(workRequest({ case: "settle", value: { ...message, sequence } }));
    const answer = Promise.withResolvers<Failure[]>();
    part.settlements.set(sequence, answer);
    return answer.promise;
  }

  get #unsettled(): number {
    let count = 0;
    for (const { unsettled } of this.#parts.values()) count += unsettled.size;
    return count;
  }

  /**
   * Tells each part how many tasks it may hold. If there is less than one for each, parts that had
   * to take tasks back come first.
   */
  #deal(): void {
    const parts = [...this.#parts.values()];
    const free = Math.max(0, this.#prefetch - this.#unsettled);
    const owed = free > 0 && free < parts.length && parts.some((part) => part.owed);
    const share = free === 0 ? 0 : Math.max(1, Math.floor(free / parts.length));
    for (const part of parts) {
      const prefetch = part.unsettled.size + (owed && !part.owed ? 0 : share);
      if (prefetch === part.prefetch) continue;
      part.prefetch = prefetch;
      part.requests.push(workRequest({ case: "prefetch", value: prefetch }));
    }
    if (!owed || this.#over) return;
    this.#owedTimer ??= setTimeout(() => {
      this.#owedTimer = undefined;
      for (const part of parts) part.owed = false;
      this.#deal();
    }, OWED_MS);
  }
}

function unanswered(): UsherError {
  return new UsherError("SHARD_UNAVAILABLE");
}

/** Every lease of such a settlement is lost: this stream has no part for its shard. */
async function allLost(message: SettlePart): Promise<Failure[]> {
  const touched = (message.touches ?? []).map(({ lease = "" }) => lease);
  return [...(message.begun ?? []), ...endedBy(message), ...touched].map((lease) => ({
    lease,
    reason: "LEASE_LOST",
  }));
}

function endedBy({ acks, releases, buries, giveBacks }: SettlePart): string[] {
  const named = [...(releases ?? []), ...(buries ?? [])].map(({ lease = "" }) => lease);
  return [...(acks ?? []), ...named, ...(giveBacks ?? [])];
}

/** A settlement by the shards of its leases. */
function splitSettle({
  acks,
  releases,
  buries,
  touches,
  giveBacks,
  begun,
}: Settle): Map<number, SettlePart> {
  const parts = new Map<number, SettlePart>();
  const add = <List extends keyof SettlePart>(
    list: List,
    entries: readonly NonNullable<SettlePart[List]>[number][],
    leaseOf: (entry: NonNullable<SettlePart[List]>[number]) => string,
  ): void => {
    for (const [shard, ofShard] of byShard(entries, leaseOf)) {
      parts.set(shard, { ...parts.get(shard), [list]: ofShard });
    }
  };
  add("acks", acks, (lease) => lease);
  add("releases", releases, ({ lease = "" }) => lease);
  add("buries", buries, ({ lease = "" }) => lease);
  add("touches", touches, ({ lease = "" }) => lease);
  add("giveBacks", giveBacks, (lease) => lease);
  add("begun", begun, (lease) => lease);
  return parts;
}
