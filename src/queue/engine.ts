import type { Clock } from "../base/clock.ts";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import type { LeaseRecord, QueueStore, TubeSettings } from "./repository.ts";
import { assemble } from "./rules/assembly.ts";
import { Consumer, type ConsumerOptions } from "./rules/consumer.ts";
import { DurableChanges } from "./rules/durable-changes.ts";
import type { QueueLimits } from "./rules/limits.ts";
import type { NewTask } from "./rules/new-task.ts";
import { type PutOptions, type PutOutcome, Putting } from "./rules/putting.ts";
import { recover } from "./rules/recovery.ts";
import { Sessions, type SessionView } from "./rules/sessions.ts";
import { type Failure, type Settlement, Settling } from "./rules/settling.ts";
import type { SessionLife, ShardPart } from "./rules/shard.ts";
import { type TakeOptions, Taking } from "./rules/taking.ts";
import { TaskOperations, type TaskPage } from "./rules/task-operations.ts";
import type { TaskView } from "./rules/task-view.ts";
import {
  type NewTube,
  TubeOperations,
  type TubeStatistics,
  type TubeView,
} from "./rules/tube-operations.ts";
import { keptInWallTime } from "./rules/wall-times.ts";
import { Watcher } from "./rules/watching.ts";
import type { Lease } from "./structures/leases.ts";
import { type State, state } from "./structures/task-state.ts";

export interface EngineOptions {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
  readonly log: Log;
  /** Undefined: the engine has every tube. */
  readonly shard?: ShardPart | undefined;
  /** Numbers from 0 up to 1, for the jitter of back-off. */
  readonly random?: () => number;
}

/** How long a stream may take to end once it is told to. Its worker may not be reading. */
const LAST_WORDS_MS = 1_000;

/**
 * The face of the queues. Every rule of QueueService runs in memory, over a store that keeps what
 * must survive. A command is answered when what the answer promises is durable. The engine knows
 * neither network nor database.
 */
export class QueueEngine {
  readonly #parts: ReturnType<typeof assemble>;
  readonly #tubes: TubeOperations;
  readonly #putting: Putting;
  readonly #taking: Taking;
  readonly #settling: Settling;
  readonly #tasks: TaskOperations;
  readonly #sessions: Sessions;
  readonly #consumers = new Set<Consumer>();
  readonly #onDrain = new Set<(error: UsherError) => void>();
  #lastStreamEnded: (() => void) | undefined;

  private constructor({ random = Math.random, shard, ...surroundings }: EngineOptions) {
    const parts = assemble({ ...surroundings, shard }, (slot) => this.#taskDue(slot));
    const changes = new DurableChanges(parts);
    this.#parts = parts;
    this.#tubes = new TubeOperations(parts, changes);
    this.#putting = new Putting(parts);
    this.#settling = new Settling(parts, changes, random);
    this.#sessions = new Sessions(parts, (leases) => this.#settling.fail(leases, "session over"));
    this.#taking = new Taking(parts, this.#sessions, (tube, slot) =>
      this.#settling.expire(tube, slot),
    );
    this.#tasks = new TaskOperations(parts, changes);
    parts.serving.serve = (tube) => {
      this.#taking.serve(tube);
      this.#putting.serve(tube);
    };
  }

  /** Recovers what the store kept, then serves. Rejects with STORAGE_UNAVAILABLE. */
  static async open(options: EngineOptions): Promise<QueueEngine> {
    const engine = new QueueEngine(options);
    await recover(engine.#parts, engine.#tubes, engine.#sessions);
    return engine;
  }

  /**
   * Answers those who wait and takes no more waiters; everything else goes on. The error tells them
   * why: the server stops, or the shard moves to another instance.
   */
  drain(error = new UsherError("SHUTTING_DOWN")): void {
    if (this.#parts.serving.closing !== undefined) return;
    this.#parts.serving.closing = error;
    for (const consumer of [...this.#consumers]) consumer.dismiss(error);
    for (const tube of this.#parts.tubes.byName.values()) {
      for (let first = tube.takers.first; first; first = tube.takers.first) first.dismiss(error);
      for (let first = tube.puts.first; first; first = tube.puts.first) first.reject(error);
      for (const watcher of tube.watchers) watcher.end(error);
    }
    for (const callback of this.#onDrain) callback(error);
  }

  /** Resolves when the workers' streams have ended after a drain, or soon in any case. */
  streamsEnded(): Promise<void> {
    if (this.#consumers.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(LAST_WORDS_MS, resolve);
      this.#lastStreamEnded = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Finishes commits and keeps leases and sessions for the next start. */
  async close(): Promise<void> {
    this.drain();
    const parts = this.#parts;
    // Every stream has ended by now, unless its worker does not read.
    for (const consumer of this.#consumers) this.endConsumer(consumer, []);
    parts.deadlines.close();
    await parts.committer.commit();
    const kept = { leases: this.#leaseRecords(), sessions: this.#sessions.all() };
    const { clock } = parts;
    await parts.store.saveLeases(keptInWallTime(kept, clock.monotonic(), clock.wallOffset));
    parts.numbers.giveBack(parts.tubes.byName.values());
    await parts.committer.commit();
    parts.payloads.close();
  }

  /**
   * Gives up a shard that another instance has taken over. Those who wait are told so, and nothing
   * happens here any more. The store refuses what is on its way to it.
   */
  abandon(): void {
    this.drain(new UsherError("NOT_OWNER"));
    this.#parts.deadlines.close();
    this.#parts.payloads.close();
  }

  /** Whether the store has every task. Those of temporary tubes are in memory alone. */
  get isKept(): boolean {
    for (const tube of this.#parts.tubes.byName.values()) {
      if (tube.temporary && tube.index.size > 0) return false;
    }
    return true;
  }

  /** Serves those who wait, after a time in which no leases were given. */
  resume(): void {
    for (const tube of this.#parts.tubes.byName.values()) this.#parts.serving.touch(tube);
    this.#parts.serving.serveTouched();
  }

  // Tubes

  createTube(tube: NewTube, ifNotExists: boolean): Promise<TubeView> {
    return this.#tubes.create(tube, ifNotExists);
  }

  getTube(name: string): TubeView {
    return this.#tubes.get(name);
  }

  listTubes(after: string, size: number): { tubes: TubeView[]; more: boolean } {
    return this.#tubes.list(after, size);
  }

  updateTube(name: string, changed: Partial<TubeSettings>): Promise<TubeView> {
    return this.#tubes.update(name, changed);
  }

  deleteTube(name: string, force: boolean): Promise<void> {
    return this.#tubes.delete(name, force);
  }

  async truncateTube(name: string): Promise<number> {
    return this.#tasks.truncate(this.#parts.serving.tube(name));
  }

  /** No takes for so many milliseconds; Infinity: until resumed; 0: resumes. */
  pauseTube(name: string, durationMs: number): Promise<TubeView> {
    return this.#tubes.pause(name, durationMs);
  }

  statistics(name: string): TubeStatistics {
    return this.#tubes.statistics(name);
  }

  listStatistics(after: string, size: number): { statistics: TubeStatistics[]; more: boolean } {
    return this.#tubes.listStatistics(after, size);
  }

  // Tasks

  async put(tube: string, tasks: readonly NewTask[], options: PutOptions): Promise<PutOutcome> {
    return this.#putting.put(tube, tasks, options);
  }

  take(tube: string, options: TakeOptions): Promise<readonly TaskView[]> {
    return this.#taking.take(tube, options);
  }

  /** The answer to a take did not reach its caller: the tasks go back as if never taken. */
  giveBack(tasks: readonly Pick<TaskView, "lease">[]): void {
    this.#taking.giveBack(this.#taking.held(tasks.map((task) => task.lease)));
  }

  settle(settlement: Settlement): Promise<TaskView> {
    return this.#settling.settle(settlement);
  }

  settleAll(settlements: readonly Settlement[]): Promise<Failure[]> {
    return this.#settling.settleAll(settlements);
  }

  async getTask(tube: string, id: number): Promise<TaskView> {
    return this.#tasks.get(this.#parts.serving.tube(tube), id);
  }

  async listTasks(
    tube: string,
    which: State | undefined,
    after: number,
    size: number,
  ): Promise<TaskPage> {
    return this.#tasks.list(this.#parts.serving.tube(tube), which, after, size);
  }

  async kickTasks(tube: string, count: number): Promise<number> {
    return this.#tasks.kick(this.#parts.serving.tube(tube), count);
  }

  async buryTask(tube: string, id: number, reason: string): Promise<TaskView> {
    return this.#tasks.bury(this.#parts.serving.tube(tube), id, reason);
  }

  async deleteTask(tube: string, id: number): Promise<TaskView> {
    return this.#tasks.delete(this.#parts.serving.tube(tube), id);
  }

  async releaseAll(tube: string): Promise<number> {
    return this.#settling.releaseAll(this.#parts.serving.tube(tube));
  }

  // Sessions

  openSession(ttlMs: number): SessionView {
    return this.#sessions.view(this.#sessions.open(ttlMs));
  }

  /** Throws SESSION_NOT_FOUND. */
  renewSession(id: string): SessionView {
    return this.#sessions.view(this.#sessions.renew(id));
  }

  /** Ends a session. Throws SESSION_NOT_FOUND at once. */
  closeSession(id: string): Promise<void> {
    this.#sessions.close(id);
    return this.#released();
  }

  /** A session of another shard, which has just been renewed there, is used here. */
  adoptSession(session: SessionLife): void {
    this.#sessions.adopt(session);
  }

  /** Ends a session of another shard that is over there, if it is used here. */
  async endForeignSession(id: string): Promise<void> {
    if (this.#sessions.endForeign(id)) await this.#released();
  }

  /** A session of this shard, renewed if it is used elsewhere. Throws SESSION_NOT_FOUND. */
  askForSession(id: string, renew: boolean): SessionLife {
    return this.#sessions.life(renew ? this.#sessions.renew(id) : this.#sessions.get(id));
  }

  // Streams

  /** Begins a worker's stream. Throws TUBE_NOT_FOUND, SESSION_NOT_FOUND. */
  consume(
    options: Omit<ConsumerOptions, "tubes" | "session"> & {
      readonly tubes: readonly string[];
      readonly session: string;
    },
  ): Consumer {
    if (this.#parts.serving.closing !== undefined) throw this.#parts.serving.closing;
    const tubes = [...new Set(options.tubes)].map((name) => this.#parts.serving.tube(name));
    const session = this.#sessions.optional(options.session);
    const rules = { taking: this.#taking, sessions: this.#sessions, settling: this.#settling };
    const consumer = new Consumer(this.#parts, rules, { ...options, tubes, session });
    this.#consumers.add(consumer);
    this.#parts.serving.serveTouched();
    return consumer;
  }

  /**
   * Ends a worker's stream: what it holds is released, unless a session keeps it. The tasks that
   * did not reach the worker go back as if never taken.
   */
  endConsumer(consumer: Consumer, undelivered: readonly TaskView[]): void {
    if (!this.#consumers.delete(consumer)) return;
    if (this.#consumers.size === 0) this.#lastStreamEnded?.();
    consumer.close(this.#taking.held(undelivered.map((task) => task.lease)));
    this.#parts.serving.serveTouched();
  }

  /** Calls back when the server begins to stop. Returns a function that takes that back. */
  onDrain(callback: (error: UsherError) => void): () => void {
    this.#onDrain.add(callback);
    return () => this.#onDrain.delete(callback);
  }

  /** Begins to watch a tube, until the watcher's `end` is called. Throws TUBE_NOT_FOUND. */
  watch(name: string, includePayload: boolean): Watcher {
    return new Watcher(includePayload, this.#parts.serving.tube(name).watchers);
  }

  /**
   * Resolves when leases that have just ended are released. A release that fails is tried again
   * later.
   */
  #released(): Promise<void> {
    return this.#parts.committer.commit().catch(() => {});
  }

  #taskDue(slot: number): void {
    const parts = this.#parts;
    const { table } = parts;
    const tube = parts.tubes.of(slot);
    if (table.state[slot] === state.LEASED) {
      const lease = table.lease[slot] as Lease;
      // The lease itself is due. A session that ends releases its leases on its own.
      const over = table.ttrMs[slot] === Infinity ? "lease over" : "ttr over";
      this.#settling.fail([lease], over);
    } else if ((table.expiresAt[slot] as number) <= parts.clock.monotonic()) {
      this.#settling.expire(tube, slot);
    } else {
      parts.places.displace(tube, slot);
      parts.places.setState(tube, slot, "delayOver", state.READY);
      parts.places.place(tube, slot);
      parts.places.announce(tube, slot, "READY");
    }
  }

  #leaseRecords(): Omit<LeaseRecord, "leftMs">[] {
    const { leases, table } = this.#parts;
    return [...leases.values()]
      .filter(({ slot }) => !this.#parts.tubes.of(slot).temporary)
      .map(({ token, slot, fence, deadline, session }) => ({
        token,
        fence,
        deadline,
        tube: table.tube[slot] as number,
        id: table.id[slot] as number,
        attempts: table.attempts[slot] as number,
        session: session?.id ?? "",
      }));
  }
}
