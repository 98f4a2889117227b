import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import { type Reason, UsherError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/logging/log.ts";
import { QueueEngine } from "../../src/queue/engine.ts";
import type { TubeKind, TubeSettings } from "../../src/queue/repository.ts";
import type { QueueLimits } from "../../src/queue/rules/limits.ts";
import type { NewTask } from "../../src/queue/rules/new-task.ts";
import type { PutOptions, PutOutcome } from "../../src/queue/rules/putting.ts";
import type { TakeOptions } from "../../src/queue/rules/taking.ts";
import type { TaskView } from "../../src/queue/rules/task-view.ts";
import type { TubeStatistics } from "../../src/queue/rules/tube-operations.ts";
import { type StateName, state } from "../../src/queue/structures/task-state.ts";
import { StepClock } from "../support/step-clock.ts";
import { type EngineHome, homeFor, sqliteHome } from "./engine-homes.ts";
import { UnreliableStore } from "./unreliable-store.ts";

export interface StartOptions {
  readonly limits?: Partial<QueueLimits>;
  readonly random?: () => number;
  /** Turns of the event loop that the store takes for each commit and read. */
  readonly slowness?: number;
}

/**
 * An engine on a real storage of its own, SQLite if no other is given, with a clock that is
 * stepped. It can be stopped and started again, cleanly or as after a killed process.
 */
export class RunningEngine {
  readonly clock = new StepClock();
  readonly #options: StartOptions;
  readonly #home: EngineHome;
  #life: Life | undefined;

  constructor(options: StartOptions = {}, home: EngineHome = sqliteHome()) {
    this.#options = options;
    this.#home = home;
  }

  get engine(): QueueEngine {
    return this.#current.engine;
  }

  /** What stands between the engine and its storage, to be told to hold or refuse commits. */
  get store(): UnreliableStore {
    return this.#current.store;
  }

  async start(): Promise<void> {
    const store = new UnreliableStore(await this.#home.open());
    store.slowness = this.#options.slowness ?? 0;
    const clock = new LifeClock(this.clock);
    const limits = {
      maxTaskBytes: 2 ** 20,
      cacheBytes: 2 ** 24,
      temporaryBytes: 2 ** 24,
      ...this.#options.limits,
    };
    const { random } = this.#options;
    const engine = await QueueEngine.open({
      store,
      clock,
      limits,
      log: silentLog,
      ...(random && { random }),
    });
    assert.equal(store.earlyCommits, 0, "nothing is committed before all is given back");
    this.#life = { engine, store, clock };
  }

  /** A clean stop and a start; `downMs` passes between the two. */
  async restart(downMs = 0): Promise<void> {
    await this.engine.close();
    this.#end();
    await this.#home.close();
    this.clock.step(downMs);
    await this.start();
  }

  /** The process is killed: what was committed is kept, what was not is lost. */
  async crash(downMs = 0): Promise<void> {
    this.#end();
    await this.#home.crash();
    this.clock.step(downMs);
    await this.start();
  }

  /** For the end of a test. */
  async remove(): Promise<void> {
    this.#end();
    await this.#home.remove();
  }

  /** Resolves when nothing is on its way to the store, or all that is, is held there. */
  async idle(): Promise<void> {
    const { store } = this;
    for (let quiet = 0, seen = store.commits; quiet < 3; quiet++) {
      await new Promise(setImmediate);
      if (store.commits !== seen || store.busy) quiet = 0;
      seen = store.commits;
    }
  }

  /** Lets time pass, and what it brings about become durable. */
  async step(ms: number): Promise<void> {
    this.clock.step(ms);
    await this.idle();
  }

  // Shortcuts for what most tests do

  async tube(name: string, kind: TubeKind, settings: Partial<TubeSettings> = {}): Promise<void> {
    await this.engine.createTube({ name, kind, temporary: false, settings }, false);
  }

  /** Puts tasks and returns their ids. */
  async put(tube: string, ...tasks: Partial<NewTask>[]): Promise<number[]> {
    return (await this.putAll(tube, tasks)).ids;
  }

  /** What every put is answered with; the task of a put of one is left out. */
  async putAll(
    tube: string,
    tasks: readonly Partial<NewTask>[],
    options: Partial<PutOptions> = {},
  ): Promise<Omit<PutOutcome, "task">> {
    const { ids, duplicates } = await this.engine.put(tube, tasks.map(newTask), {
      waitMs: 0,
      signal: undefined,
      field: (index) => `tasks[${index}]`,
      ...options,
    });
    return { ids, duplicates };
  }

  take(tube: string, options: Partial<TakeOptions> = {}): Promise<readonly TaskView[]> {
    return this.engine.take(tube, {
      maxTasks: 1,
      waitMs: 0,
      session: "",
      signal: undefined,
      ...options,
    });
  }

  /** Takes one task and expects that there is one. */
  async takeOne(tube: string, options: Partial<TakeOptions> = {}): Promise<TaskView> {
    const [task, ...others] = await this.take(tube, options);
    assert.ok(task, `a task of ${tube} can be taken`);
    assert.deepEqual(others, []);
    return task;
  }

  /** Takes up to so many tasks and returns their ids. */
  async takenIds(tube: string, maxTasks: number): Promise<number[]> {
    return idsOf(await this.take(tube, { maxTasks }));
  }

  ack({ lease }: TaskView): Promise<TaskView> {
    return this.engine.settle({ kind: "ack", lease });
  }

  release({ lease }: TaskView, delayMs?: number, reason = ""): Promise<TaskView> {
    return this.engine.settle({ kind: "release", lease, delayMs, reason });
  }

  bury({ lease }: TaskView, reason = ""): Promise<TaskView> {
    return this.engine.settle({ kind: "bury", lease, reason });
  }

  touch({ lease }: TaskView, extendMs: number): Promise<TaskView> {
    return this.engine.settle({ kind: "touch", lease, extendMs });
  }

  async stateOf(tube: string, id: number): Promise<StateName> {
    return stateName(await this.engine.getTask(tube, id));
  }

  statistics(tube: string): TubeStatistics {
    const [statistics] = this.engine.statistics(tube);
    assert.ok(statistics);
    return statistics;
  }

  /** Tasks by state, those of which there are some. */
  counts(tube: string): Record<string, number> {
    const { ready, leased, delayed, buried } = this.statistics(tube);
    const all = Object.entries({ ready, leased, delayed, buried });
    return Object.fromEntries(all.filter(([, count]) => count > 0));
  }

  get #current(): Life {
    assert.ok(this.#life, "the engine is started");
    return this.#life;
  }

  #end(): void {
    if (this.#life === undefined) return;
    this.#life.clock.stop();
    this.#life.store.die();
    this.#life = undefined;
  }
}

/** An engine for one test, started. */
export async function startEngine(t: TestContext, options?: StartOptions): Promise<RunningEngine> {
  const running = new RunningEngine(options, await homeFor(t));
  t.after(() => running.remove());
  await running.start();
  return running;
}

export function newTask(given: Partial<NewTask> = {}): NewTask {
  return {
    payload: { format: "text", value: "", attributes: undefined },
    size: 0,
    priority: undefined,
    delayMs: undefined,
    ttlMs: undefined,
    ttrMs: undefined,
    group: "",
    dedupKey: "",
    ...given,
  };
}

export function text(value: string): Pick<NewTask, "payload" | "size"> {
  return { payload: { format: "text", value, attributes: undefined }, size: value.length };
}

export function idsOf(tasks: readonly TaskView[]): number[] {
  return tasks.map(({ id }) => id);
}

export function stateName(task: TaskView): StateName {
  const name = (Object.keys(state) as StateName[]).find((each) => state[each] === task.state);
  assert.ok(name);
  return name;
}

/** Expects a rejection that a caller may see, for this reason. */
export function assertReason(work: Promise<unknown>, reason: Reason): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof UsherError, String(error));
    assert.equal(error.reason, reason);
    return true;
  });
}

/** As `assertReason`, for what throws. */
export function assertThrows(work: () => unknown, reason: Reason): void {
  assert.throws(work, (error) => error instanceof UsherError && error.reason === reason);
}

interface Life {
  readonly engine: QueueEngine;
  readonly store: UnreliableStore;
  readonly clock: LifeClock;
}

/**
 * The clock of one process: what it was asked for ends with the process. Its monotonic time begins
 * with the wall time of the process's start.
 */
class LifeClock implements Clock {
  readonly #clock: Clock;
  readonly #offsetAtStart: number;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetAtStart = clock.wallOffset;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic() + this.#offsetAtStart;
  }

  get wallOffset(): number {
    return this.#clock.wallOffset - this.#offsetAtStart;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#clock.after(delayMs, () => {
      if (!this.#stopped) callback();
    });
  }

  stop(): void {
    this.#stopped = true;
  }
}
