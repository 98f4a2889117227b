import type { Clock } from "../base/clock.ts";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import type { LeaseRecord, QueueStore, SessionRecord, TubeSettings } from "./repository.ts";
import { Consumer, type ConsumerOptions } from "./rules/consumer.ts";
import { Core, type ShardPart } from "./rules/core.ts";
import type { Lease } from "./rules/leases.ts";
import type { QueueLimits } from "./rules/limits.ts";
import { Operating, type TaskPage } from "./rules/operating.ts";
import { type NewTask, type PutOptions, type PutOutcome, Putting } from "./rules/putting.ts";
import { recover } from "./rules/recovery.ts";
import { type Session, Sessions } from "./rules/sessions.ts";
import { type Failure, type Settlement, Settling } from "./rules/settling.ts";
import { type TakeOptions, Taking } from "./rules/taking.ts";
import { TaskChanges } from "./rules/task-changes.ts";
import { type State, state } from "./rules/transitions.ts";
import { type NewTube, type TubeStatistics, Tubes, type TubeView } from "./rules/tubes.ts";
import type { TaskView } from "./rules/views.ts";
import { Watcher } from "./rules/watching.ts";

export interface EngineOptions {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
  readonly log: Log;
  /** Not set: the engine has every tube. */
  readonly shard?: ShardPart | undefined;
  /** Numbers from 0 up to 1, for the jitter of back-off. */
  readonly random?: () => number;
}

/** How long a stream that has been told to end may take over it; a worker may not read. */
const LAST_WORDS_MS = 1_000;

/**
 * The queues: every rule of QueueService, in memory, over a store that keeps what must survive.
 * Commands go in; answers come out when what they promise is durable. It knows no wire and no
 * database.
 */
export class QueueEngine {
  readonly #core: Core;
  readonly #tubes: Tubes;
  readonly #putting: Putting;
  readonly #taking: Taking;
  readonly #settling: Settling;
  readonly #operating: Operating;
  readonly #sessions: Sessions;
  readonly #consumers = new Set<Consumer>();
  readonly #onDrain = new Set<(error: UsherError) => void>();
  #lastStreamEnded: (() => void) | undefined;

  private constructor({ random = Math.random, shard, ...parts }: EngineOptions) {
    const core = new Core({ ...parts, shard });
    const changes = new TaskChanges(core);
    this.#core = core;
    this.#tubes = new Tubes(core, changes);
    this.#putting = new Putting(core);
    this.#settling = new Settling(core, changes, random);
    this.#sessions = new Sessions(core, (leases) => this.#settling.fail(leases, "session over"));
    this.#taking = new Taking(core, this.#sessions, (tube, slot) =>
      this.#settling.expire(tube, slot),
    );
    this.#operating = new Operating(core, changes);
    core.serve = (tube) => {
      this.#taking.serve(tube);
      this.#putting.serve(tube);
    };
    core.taskDue = (slot) => this.#taskDue(slot);
  }

  /** Recovers what the store kept, then serves. Rejects with STORAGE_UNAVAILABLE. */
  static async open(options: EngineOptions): Promise<QueueEngine> {
    const engine = new QueueEngine(options);
    await recover(engine.#core, engine.#tubes, engine.#sessions);
    return engine;
  }

  /**
   * Answers those who wait and takes no more waiters; everything else goes on. The error is what
   * they are told: the server stops, or the shard moves to another instance.
   */
  drain(error = new UsherError("SHUTTING_DOWN")): void {
    if (this.#core.closing !== undefined) return;
    this.#core.closing = error;
    for (const consumer of [...this.#consumers]) consumer.dismiss(error);
    for (const tube of this.#core.tubes.values()) {
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
      const cancel = this.#core.clock.after(LAST_WORDS_MS, resolve);
      this.#lastStreamEnded = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Finishes commits and keeps leases and sessions for the next start. */
  async close(): Promise<void> {
    this.drain();
    const core = this.#core;
    // Streams have ended by now, but for one whose worker does not read.
    for (const consumer of this.#consumers) this.endConsumer(consumer, []);
    core.deadlines.close();
    await core.commit();
    await core.store.saveLeases({
      leases: this.#leaseRecords(),
      sessions: this.#sessions.records(),
    });
    core.numbers.giveBack(core.tubes.values());
    await core.commit();
    core.payloads.close();
  }

  /**
   * The shard is another instance's: who waits is told so, and nothing happens here any more. What
   * is on its way to the store is refused there.
   */
  abandon(): void {
    this.drain(new UsherError("NOT_OWNER"));
    this.#core.deadlines.close();
    this.#core.payloads.close();
  }

  /** No task is in memory alone. */
  get isKept(): boolean {
    for (const tube of this.#core.tubes.values()) {
      if (tube.temporary && tube.log.size > 0) return false;
    }
    return true;
  }

  /** Leases are given again: serves those who could have had some meanwhile. */
  resume(): void {
    for (const tube of this.#core.tubes.values()) this.#core.touch(tube);
    this.#core.serveTouched();
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
    return this.#operating.truncate(this.#core.tube(name));
  }

  /** `until`: milliseconds since the Unix epoch; Infinity: until resumed; 0: resumes. */
  pauseTube(name: string, until: number): Promise<TubeView> {
    return this.#tubes.pause(name, until);
  }

  /** Of one tube, or of all where the name is empty. */
  statistics(name: string): TubeStatistics[] {
    return name === "" ? this.#tubes.allStatistics() : [this.#tubes.statistics(name)];
  }

  // Tasks

  async put(tube: string, tasks: readonly NewTask[], options: PutOptions): Promise<PutOutcome> {
    return this.#putting.put(tube, tasks, options);
  }

  take(tube: string, options: TakeOptions): Promise<TaskView[]> {
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
    return this.#operating.get(this.#core.tube(tube), id);
  }

  async listTasks(
    tube: string,
    which: State | undefined,
    after: number,
    size: number,
  ): Promise<TaskPage> {
    return this.#operating.list(this.#core.tube(tube), which, after, size);
  }

  async kickTasks(tube: string, count: number): Promise<number> {
    return this.#operating.kick(this.#core.tube(tube), count);
  }

  async buryTask(tube: string, id: number, reason: string): Promise<TaskView> {
    return this.#operating.bury(this.#core.tube(tube), id, reason);
  }

  async deleteTask(tube: string, id: number): Promise<TaskView> {
    return this.#operating.delete(this.#core.tube(tube), id);
  }

  async releaseAll(tube: string): Promise<number> {
    return this.#settling.releaseAll(this.#core.tube(tube));
  }

  // Sessions

  openSession(ttlMs: number): Session {
    return this.#sessions.open(ttlMs);
  }

  renewSession(id: string): Session {
    return this.#sessions.renew(id);
  }

  /** Ends a session. Throws SESSION_NOT_FOUND at once. */
  closeSession(id: string): Promise<void> {
    this.#sessions.close(id);
    return this.#released();
  }

  /** A session of another shard, which has just been renewed there, is used here. */
  adoptSession(session: SessionRecord): void {
    this.#sessions.adopt(session);
  }

  /** Ends a session of another shard that is over there, if it is used here. */
  async endForeignSession(id: string): Promise<void> {
    if (this.#sessions.endForeign(id)) await this.#released();
  }

  /** A session of this shard, renewed if it is used elsewhere. Throws SESSION_NOT_FOUND. */
  askForSession(id: string, renew: boolean): SessionRecord {
    return renew ? this.#sessions.renew(id) : this.#sessions.get(id);
  }

  // Streams

  /** Begins a worker's stream. Throws TUBE_NOT_FOUND, SESSION_NOT_FOUND. */
  consume(
    options: Omit<ConsumerOptions, "tubes" | "session"> & {
      readonly tubes: readonly string[];
      readonly session: string;
    },
  ): Consumer {
    if (this.#core.closing !== undefined) throw this.#core.closing;
    const tubes = [...new Set(options.tubes)].map((name) => this.#core.tube(name));
    const session = this.#sessions.optional(options.session);
    const rules = { taking: this.#taking, sessions: this.#sessions, settling: this.#settling };
    const consumer = new Consumer(this.#core, rules, { ...options, tubes, session });
    this.#consumers.add(consumer);
    this.#core.serveTouched();
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
    this.#core.serveTouched();
  }

  /** Calls back when the server begins to stop. Returns a function that takes that back. */
  onDrain(callback: (error: UsherError) => void): () => void {
    this.#onDrain.add(callback);
    return () => this.#onDrain.delete(callback);
  }

  /** Begins to watch a tube, until the watcher's `end` is called. Throws TUBE_NOT_FOUND. */
  watch(name: string, includePayload: boolean): Watcher {
    return new Watcher(includePayload, this.#core.tube(name).watchers);
  }

  /** Resolves when leases that have just ended are released, or will be: that is tried again. */
  #released(): Promise<void> {
    return this.#core.commit().catch(() => {});
  }

  #taskDue(slot: number): void {
    const core = this.#core;
    const { table } = core;
    const tube = core.tubeOf(slot);
    if (table.state[slot] === state.LEASED) {
      const lease = table.lease[slot] as Lease;
      // A session that ended tells its own leases; what is due here is the lease itself.
      const over = table.ttrMs[slot] === Infinity ? "lease over" : "ttr over";
      this.#settling.fail([lease], over);
    } else if ((table.expiresAt[slot] as number) <= core.clock.now()) {
      this.#settling.expire(tube, slot);
    } else {
      core.displace(tube, slot);
      core.setState(tube, slot, "delayOver", state.READY);
      core.place(tube, slot);
      core.announce(tube, slot, "READY");
    }
  }

  #leaseRecords(): LeaseRecord[] {
    const { leases, table } = this.#core;
    return [...leases.values()]
      .filter(({ slot }) => !this.#core.tubeOf(slot).temporary)
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
