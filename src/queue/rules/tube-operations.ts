import type { Clock } from "../../base/clock.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import type { TubeKind, TubeSettings } from "../repository.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import { state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import { type DurableChanges, MOST_IN_ONE_COMMIT, type Step } from "./durable-changes.ts";
import type { NumberReservation } from "./number-reservation.ts";
import type { Serving } from "./serving.ts";
import type { TaskPlaces } from "./task-places.ts";
import { type CallCounts, type TaskTotals, Tube } from "./tube.ts";
import type { TubeDirectory } from "./tube-directory.ts";
import { features } from "./tube-kinds.ts";

interface Parts {
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly numbers: NumberReservation;
  readonly tubes: TubeDirectory;
  readonly serving: Serving;
  readonly places: TaskPlaces;
}

export interface NewTube {
  readonly name: string;
  readonly kind: TubeKind;
  readonly temporary: boolean;
  /** Settings that are not given have their defaults. */
  readonly settings: Partial<TubeSettings>;
}

export interface TubeView {
  readonly name: string;
  readonly kind: TubeKind;
  readonly temporary: boolean;
  readonly settings: TubeSettings;
  readonly createdAt: number;
  /** 0: not paused; Infinity: until resumed. */
  readonly pausedUntil: number;
}

export interface TubeStatistics {
  readonly tube: string;
  readonly ready: number;
  readonly leased: number;
  readonly buried: number;
  readonly delayed: number;
  readonly total: number;
  readonly calls: CallCounts;
  readonly totals: TaskTotals;
  readonly done: number;
  readonly expired: number;
  /** undefined: no task is ready. */
  readonly oldestReadyAgeMs: number | undefined;
  readonly waitingTakers: number;
  readonly waitingPuts: number;
}

export const defaultSettings: TubeSettings = {
  capacity: 0,
  defaultPriority: 0,
  defaultTtlMs: Infinity,
  defaultTtrMs: Infinity,
  defaultDelayMs: 0,
  maxAttempts: 0,
  retryBackoff: undefined,
  dedupWindowMs: 0,
};

/** What operators do with tubes as a whole. */
export class TubeOperations {
  readonly #parts: Parts;
  readonly #changes: DurableChanges;
  /** Tubes whose making, change or end is not durable yet. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(parts: Parts, changes: DurableChanges) {
    this.#parts = parts;
    this.#changes = changes;
  }

  /**
   * Makes a tube, durable when the promise resolves. Rejects with TUBE_ALREADY_EXISTS, unless
   * `ifNotExists` and the kind is the same: then the tube that is there is the answer, unchanged.
   */
  create(tube: NewTube, ifNotExists: boolean): Promise<TubeView> {
    return this.#inTurn(tube.name, () => this.#create(tube, ifNotExists));
  }

  async #create(tube: NewTube, ifNotExists: boolean): Promise<TubeView> {
    const there = this.#parts.tubes.byName.get(tube.name);
    if (there !== undefined) {
      if (ifNotExists && there.kind === tube.kind) return this.#view(there);
      throw new UsherError("TUBE_ALREADY_EXISTS", {
        message: `a tube ${tube.name} of kind ${there.kind} exists`,
      });
    }
    const settings = { ...defaultSettings, ...tube.settings };
    checkSettings(tube.kind, tube.settings, settings);
    const made = new Tube(
      {
        ...tube,
        settings,
        number: this.#parts.numbers.tube(),
        createdAt: this.#parts.clock.monotonic(),
        pausedUntil: 0,
        nextId: 1,
      },
      this.#parts.table,
    );
    await this.#save(made);
    this.#parts.tubes.byName.set(made.name, made);
    this.#parts.tubes.byNumber.set(made.number, made);
    return this.#view(made);
  }

  get(name: string): TubeView {
    return this.#view(this.#parts.serving.tube(name));
  }

  /** Up to `size` tubes with names after `after`, by name. */
  list(after: string, size: number): { tubes: TubeView[]; more: boolean } {
    const names = this.#namesAfter(after);
    const tubes = names.slice(0, size).map((name) => this.get(name));
    return { tubes, more: names.length > size };
  }

  /** Changes some settings. Rejects with TUBE_NOT_FOUND, INVALID_PARAMS. */
  update(name: string, changed: Partial<TubeSettings>): Promise<TubeView> {
    return this.#inTurn(name, () => this.#update(name, changed));
  }

  async #update(name: string, changed: Partial<TubeSettings>): Promise<TubeView> {
    const tube = this.#parts.serving.tube(name);
    const before = tube.settings;
    const settings = { ...before, ...changed };
    checkSettings(tube.kind, changed, settings);
    tube.settings = settings;
    try {
      await this.#save(tube);
    } catch (error) {
      tube.settings = before;
      throw error;
    }
    // A larger capacity lets waiting puts in.
    this.#parts.serving.touch(tube);
    this.#parts.serving.serveTouched();
    return this.#view(tube);
  }

  /** No takes for so long; Infinity: until resumed; 0: resumes. */
  pause(name: string, durationMs: number): Promise<TubeView> {
    return this.#inTurn(name, () => this.#pause(name, durationMs));
  }

  async #pause(name: string, durationMs: number): Promise<TubeView> {
    const tube = this.#parts.serving.tube(name);
    const before = tube.pausedUntil;
    const until = durationMs === 0 ? 0 : this.#parts.clock.monotonic() + durationMs;
    this.#setPause(tube, until);
    // The answer shows the pause that was asked for, even if it is over by now.
    const view = this.#view(tube);
    try {
      await this.#save(tube);
    } catch (error) {
      this.#setPause(tube, before);
      throw error;
    }
    return view;
  }

  /** Takes up a pause that the store has kept. */
  restorePause(tube: Tube): void {
    this.#setPause(tube, tube.pausedUntil);
  }

  /** Removes a tube with its tasks. Rejects with TUBE_IN_USE while tasks are leased, unless forced. */
  delete(name: string, force: boolean): Promise<void> {
    return this.#inTurn(name, () => this.#delete(name, force));
  }

  async #delete(name: string, force: boolean): Promise<void> {
    const parts = this.#parts;
    const tube = parts.serving.tube(name);
    if (!force && (tube.counts[state.LEASED] as number) > 0) {
      throw new UsherError("TUBE_IN_USE", {
        message: `${tube.counts[state.LEASED]} tasks of tube ${name} are leased`,
      });
    }
    // From here on nobody finds the tube. Tasks on their way to the store are removed when they are
    // back.
    parts.tubes.byName.delete(name);
    try {
      for (let left = true; left; ) {
        const { steps } = this.#changes.endNext(tube, Infinity);
        left = steps.length === MOST_IN_ONE_COMMIT;
        if (!left) {
          parts.committer.changes.removedTubes.push(tube.number);
          steps.push(this.#endOfTube(tube));
        }
        await this.#changes.run(steps);
      }
    } catch (error) {
      parts.tubes.byName.set(name, tube);
      parts.serving.touch(tube);
      parts.serving.serveTouched();
      throw error;
    }
  }

  statistics(name: string): TubeStatistics {
    return this.#statisticsOf(this.#parts.serving.tube(name));
  }

  /** Of up to `size` tubes with names after `after`, by name. */
  listStatistics(after: string, size: number): { statistics: TubeStatistics[]; more: boolean } {
    this.#parts.serving.advance();
    const names = this.#namesAfter(after);
    return {
      statistics: names.slice(0, size).map((name) => this.statistics(name)),
      more: names.length > size,
    };
  }

  #namesAfter(after: string): string[] {
    return [...this.#parts.tubes.byName.keys()].filter((name) => name > after).sort();
  }

  #statisticsOf(tube: Tube): TubeStatistics {
    const { table, clock } = this.#parts;
    const [, ready = 0, delayed = 0, leased = 0, buried = 0] = tube.counts;
    const oldest = ready === 0 ? -1 : tube.oldest.find();
    return {
      tube: tube.name,
      ready,
      leased,
      buried,
      delayed,
      total: ready + leased + buried + delayed,
      calls: { ...tube.calls },
      totals: { ...tube.totals },
      done: tube.done,
      expired: tube.expired,
      oldestReadyAgeMs:
        oldest === -1
          ? undefined
          : Math.max(0, clock.monotonic() - (table.createdAt[oldest] as number)),
      waitingTakers: tube.takers.size,
      waitingPuts: tube.puts.size,
    };
  }

  #setPause(tube: Tube, until: number): void {
    const { deadlines } = this.#parts;
    deadlines.clearAlarm(tube.pauseAlarm);
    tube.pausedUntil = until;
    const resume = (): void => {
      tube.pausedUntil = 0;
      this.#parts.serving.touch(tube);
    };
    tube.pauseAlarm = deadlines.setAlarm(until === 0 ? Infinity : until, resume);
    if (until !== 0) return;
    this.#parts.serving.touch(tube);
    this.#parts.serving.serveTouched();
  }

  /** The last step of a deletion. */
  #endOfTube(tube: Tube): Step {
    const parts = this.#parts;
    return {
      tube,
      slot: -1,
      commit: () => {
        tube.gone = true;
        parts.tubes.byNumber.delete(tube.number);
        parts.deadlines.clearAlarm(tube.pauseAlarm);
        for (const entry of tube.dedup.values()) parts.deadlines.clearAlarm(entry.alarm);
        for (const slot of parts.places.inPlace(tube, Infinity, Infinity).slots) {
          parts.places.displace(tube, slot);
          parts.places.discard(tube, slot);
        }
        const error = new UsherError("TUBE_NOT_FOUND", {
          message: `tube ${tube.name} was deleted`,
        });
        for (let first = tube.takers.first; first; first = tube.takers.first) first.dismiss(error);
        for (const consumer of [...tube.consumers]) consumer.dismiss(error);
        for (let first = tube.puts.first; first; first = tube.puts.first) first.reject(error);
        for (const watcher of tube.watchers) watcher.end(error);
      },
      undo: () => false,
    };
  }

  #view(tube: Tube): TubeView {
    const { name, kind, temporary, settings, createdAt, pausedUntil } = tube;
    const { wallOffset } = this.#parts.clock;
    return {
      name,
      kind,
      temporary,
      settings,
      createdAt: createdAt + wallOffset,
      pausedUntil: pausedUntil === 0 ? 0 : pausedUntil + wallOffset,
    };
  }

  #save(tube: Tube): Promise<void> {
    this.#parts.committer.keepTube(tube);
    return this.#parts.committer.commit();
  }

  /** Changes of tubes of one name happen one after the other. */
  async #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    for (let other = this.#underWay.get(name); other; other = this.#underWay.get(name)) {
      await other.catch(() => {});
    }
    const turn = work();
    this.#underWay.set(name, turn);
    try {
      return await turn;
    } finally {
      this.#underWay.delete(name);
    }
  }
}

/**
 * Throws INVALID_PARAMS for a given setting that the kind does not have, and where `outcome` lacks
 * one that the kind must have.
 */
function checkSettings(kind: TubeKind, given: Partial<TubeSettings>, outcome: TubeSettings): void {
  const { timed, limited } = features[kind];
  if (limited && outcome.capacity === 0) {
    throw invalid("tube.capacity", `a tube of kind ${kind} must have a capacity of at least 1`);
  }
  if (!limited && outcome.capacity !== 0) {
    throw invalid("tube.capacity", `a tube of kind ${kind} has no capacity`);
  }
  if (timed) return;
  for (const [setting, field] of timedSettings) {
    if (setting in given) throw invalid(field, `a tube of kind ${kind} does not have it`);
  }
}

const timedSettings = [
  ["defaultPriority", "tube.default_priority"],
  ["defaultTtlMs", "tube.default_ttl"],
  ["defaultTtrMs", "tube.default_ttr"],
  ["defaultDelayMs", "tube.default_delay"],
  ["retryBackoff", "tube.retry_backoff"],
] as const;
