import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { Log } from "../../logging/log.ts";
import type { QueueStore, TaskProgress } from "../repository.ts";
import { Deadlines, MOST_AT_ONCE } from "../structures/deadlines.ts";
import { CacheBudget, PayloadCache } from "../structures/payload-cache.ts";
import { TaskTable } from "../structures/task-table.ts";
import { Committer } from "./committer.ts";
import { Dedup } from "./dedup.ts";
import { type Lease, Leases } from "./leases.ts";
import type { QueueLimits } from "./limits.ts";
import { Numbers } from "./numbers.ts";
import type { SessionHomes } from "./sessions.ts";
import { assertTransition, type State, state, type TaskEvent } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { announce, type Change } from "./watching.ts";

/** What an engine has from outside where it keeps one shard of the tubes among others. */
export interface ShardPart {
  /** Begins every lease token and every session id, so that they tell the shard. */
  readonly prefix: string;
  /** Shared by all the engines of this process. */
  readonly cache: CacheBudget;
  readonly sessions: SessionHomes;
  /** False while another instance may have taken the shard over without a word to this one. */
  mayLease(): boolean;
}

interface CoreParts {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
  readonly log: Log;
  readonly shard: ShardPart | undefined;
}

/**
 * What the rules share: tubes, tasks, leases, and the ways in which a task changes its place.
 *
 * A change that must be durable goes: `hold` (the task leaves every order, its state stays), the
 * commit, then `release` into the new state, or back where it was if the store did not take it.
 */
export class Core {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: QueueLimits;
  readonly store: QueueStore;
  readonly table = new TaskTable();
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly payloads: PayloadCache;
  readonly dedup: Dedup;
  readonly numbers: Numbers;
  readonly tubes = new Map<string, Tube>();
  readonly tubesByNumber = new Map<number, Tube>();
  readonly leases: Leases;
  /** Undefined: there is no other engine. */
  readonly shard: ShardPart | undefined;
  /** Why nobody may wait any more. */
  closing: UsherError | undefined;

  /** Serves waiters of a tube that may have something for them; set by the engine. */
  serve: (tube: Tube) => void = () => {};
  /** A task's time has come; set by the engine. */
  taskDue: (slot: number) => void = () => {};

  readonly #touched = new Set<Tube>();

  constructor(parts: CoreParts) {
    const { store, clock, log, limits, shard } = parts;
    this.store = store;
    this.clock = clock;
    this.limits = limits;
    this.log = log;
    this.shard = shard;
    this.leases = new Leases(shard?.prefix ?? "");
    this.committer = new Committer(store, {
      afterwards: () => this.advance(),
      failed: (tubes) => this.#keepAgain(tubes),
    });
    this.deadlines = new Deadlines(this.table, clock, {
      taskDue: (slot) => this.taskDue(slot),
      afterwards: () => this.serveTouched(),
      isBehind: () => this.committer.waiting >= MOST_AT_ONCE,
    });
    this.payloads = new PayloadCache(
      this.table,
      shard?.cache ?? new CacheBudget(limits.cacheBytes),
    );
    this.dedup = new Dedup(clock, this.committer, this.deadlines);
    this.numbers = new Numbers(this.committer);
  }

  /** The tube of that name. Throws TUBE_NOT_FOUND. Lets happen first what is due. */
  tube(name: string): Tube {
    this.advance();
    const tube = this.tubes.get(name);
    if (tube === undefined) {
      throw new UsherError("TUBE_NOT_FOUND", {
        message: `there is no tube ${JSON.stringify(name)}`,
      });
    }
    return tube;
  }

  tubeOf(slot: number): Tube {
    return this.tubesByNumber.get(this.table.tube[slot] as number) as Tube;
  }

  /** Lets happen what is due, and serves those who waited for it. */
  advance(): void {
    this.deadlines.advance();
    this.serveTouched();
  }

  /** The tube has tasks, or room, that it did not have: its waiters are served soon. */
  touch(tube: Tube): void {
    this.#touched.add(tube);
  }

  serveTouched(): void {
    for (const tube of this.#touched) {
      this.#touched.delete(tube);
      // Not while its deletion is under way.
      if (this.tubes.get(tube.name) === tube) this.serve(tube);
    }
  }

  /** What a failed commit would have kept of numbers and tubes goes into the next. */
  #keepAgain(tubes: Iterable<Tube>): void {
    this.numbers.reserve();
    for (const tube of tubes) {
      if (this.tubesByNumber.has(tube.number)) this.committer.keepTube(tube);
    }
  }

  /**
   * Up to `most` tasks of a tube with ids below `end` that are neither on their way to the store nor
   * back from it. `more`: there are others.
   */
  tasksInPlace(tube: Tube, end: number, most: number): { slots: number[]; more: boolean } {
    const { table } = this;
    const slots: number[] = [];
    let more = false;
    tube.log.walk(0, (slot) => {
      if ((table.id[slot] as number) >= end) return false;
      if (table.held[slot] === 1 || slots.length === most) more = true;
      else if (table.state[slot] !== state.NONE) slots.push(slot);
      return slots.length < most || !more;
    });
    return { slots, more };
  }

  // Places and states

  /** Puts a task where its state belongs. */
  place(tube: Tube, slot: number): void {
    const { table } = this;
    switch (table.state[slot]) {
      case state.READY:
        tube.order.add(slot);
        tube.oldest.becameReady(table.id[slot] as number);
        this.deadlines.setTask(slot, table.expiresAt[slot] as number);
        this.touch(tube);
        break;
      case state.DELAYED:
        this.deadlines.setTask(
          slot,
          Math.min(table.readyAt[slot] as number, table.expiresAt[slot] as number),
        );
        break;
      case state.LEASED:
        this.deadlines.setTask(slot, (table.lease[slot] as Lease).deadline);
        break;
      case state.BURIED:
        tube.buried.push(slot);
        this.deadlines.setTask(slot, table.expiresAt[slot] as number);
        break;
    }
  }

  /** Takes a task from where its state put it. */
  displace(tube: Tube, slot: number): void {
    const { table } = this;
    this.deadlines.clearTask(slot);
    if (table.state[slot] === state.READY) tube.order.remove(slot);
    if (table.state[slot] === state.BURIED) {
      tube.buried.removeAt((table.place[slot] as number) - 1);
      table.place[slot] = 0;
    }
  }

  /** Gives a task another state. It must be in no place. */
  setState(tube: Tube, slot: number, event: TaskEvent, to: State): void {
    const from = this.table.state[slot] as State;
    assertTransition(event, from, to);
    this.table.state[slot] = to;
    (tube.counts[from] as number)--;
    (tube.counts[to] as number)++;
  }

  /** Notes what a committed change made of a task. */
  setProgress(slot: number, progress: TaskProgress): void {
    const { table } = this;
    table.readyAt[slot] = progress.readyAt;
    table.expiresAt[slot] = progress.expiresAt;
    table.attempts[slot] = progress.attempts;
    if (progress.reason !== "") table.reason.set(slot, progress.reason);
    else if (table.reason.size > 0) table.reason.delete(slot);
  }

  /** Takes a task out of every order until its change is durable. */
  hold(tube: Tube, slot: number): void {
    this.displace(tube, slot);
    this.table.held[slot] = 1;
  }

  /**
   * Ends a hold: the task takes the place of its state, or goes if its tube is gone meanwhile.
   * Returns whether it is still there.
   */
  unhold(tube: Tube, slot: number): boolean {
    this.table.held[slot] = 0;
    if (tube.gone) {
      this.discard(tube, slot);
      return false;
    }
    this.place(tube, slot);
    return true;
  }

  /** Makes a lease void; its task stays LEASED until it gets another state. */
  endLease(lease: Lease): void {
    this.leases.remove(lease);
    this.table.lease[lease.slot] = undefined;
    lease.session?.leases.delete(lease);
    lease.holder?.leaseEnded(lease);
  }

  /** A leased task gets another state: its group can go on with the next. */
  freeGroup(tube: Tube, slot: number): void {
    tube.order.free(slot);
    this.touch(tube);
  }

  /** Undoes `endLease`: the change that ended it was not kept. */
  restoreLease(lease: Lease): void {
    this.leases.add(lease);
    this.table.lease[lease.slot] = lease;
    if (lease.session?.over) lease.deadline = this.clock.now();
    lease.session?.leases.add(lease);
    lease.holder?.leaseRestored(lease);
  }

  /** Forgets a task whose removal is durable, or that never was. It must be in no place. */
  forget(tube: Tube, slot: number): void {
    const { table } = this;
    (tube.counts[table.state[slot] as number] as number)--;
    tube.log.remove(table.id[slot] as number);
    tube.order.leave(slot);
    const key = table.dedupKey.get(slot);
    if (key !== undefined) this.dedup.taskGone(tube, key);
    this.payloads.drop(tube, slot);
    table.free(slot);
    this.touch(tube);
  }

  /** Removes a task on its own account: nobody waits for the removal. It must be in no place. */
  discard(tube: Tube, slot: number): void {
    const lease = this.table.lease[slot];
    if (lease !== undefined) this.endLease(lease);
    if (this.table.state[slot] === state.LEASED) this.freeGroup(tube, slot);
    const key = this.table.key[slot] as number;
    const size = this.table.size[slot] as number;
    this.forget(tube, slot);
    if (tube.temporary) return;
    const remove = (): void => {
      this.committer.changes.removes.push(key);
      this.committer.changes.removedBytes += size;
      this.committer.add({
        committed() {},
        failed: () => this.deadlines.setAlarm(this.clock.now() + RETRY_AFTER_FAILURE_MS, remove),
      });
    };
    remove();
  }

  /** Resolves when the changes gathered so far are durable; rejects if they are not. */
  commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.committer.add({ committed: resolve, failed: reject });
    });
  }

  /** Tells those who watch the tube. */
  announce(tube: Tube, slot: number, change: Change): void {
    if (tube.watchers.size > 0) announce(this, tube, slot, change);
  }
}

/** A background change that the store did not take is tried again after this long. */
export const RETRY_AFTER_FAILURE_MS = 1_000;
