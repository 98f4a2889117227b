import type { Clock } from "../../base/clock.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import type { RetryBackoff, TaskProgress } from "../repository.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Lease, Leases } from "../structures/leases.ts";
import { state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import { type DurableChanges, MOST_IN_ONE_COMMIT, type Step } from "./durable-changes.ts";
import { LATEST_MS } from "./limits.ts";
import type { Serving } from "./serving.ts";
import type { TaskView } from "./task-view.ts";
import type { Tube } from "./tube.ts";
import type { TubeDirectory } from "./tube-directory.ts";

interface Parts {
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly tubes: TubeDirectory;
  readonly leases: Leases;
  readonly serving: Serving;
}

/** So many returns of a task that was not begun use one attempt. */
const RETURNS_OF_AN_ATTEMPT = 10;

/** How a holder settles a lease. */
export type Settlement =
  | { readonly kind: "ack"; readonly lease: string }
  | {
      readonly kind: "release";
      readonly lease: string;
      /** undefined: as the tube's back-off says. */
      readonly delayMs: number | undefined;
      readonly reason: string;
    }
  | { readonly kind: "bury"; readonly lease: string; readonly reason: string }
  | { readonly kind: "touch"; readonly lease: string; readonly extendMs: number };

/** A lease that could not be settled, and why: LEASE_LOST or INVALID_PARAMS. */
export interface Failure {
  readonly lease: string;
  readonly error: UsherError;
}

/** How leases end: settled by their holders, lost by time, or with their session. */
export class Settling {
  readonly #parts: Parts;
  readonly #changes: DurableChanges;
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to 1, for the jitter of back-off. */
  constructor(parts: Parts, changes: DurableChanges, random: () => number) {
    this.#parts = parts;
    this.#changes = changes;
    this.#random = random;
  }

  /**
   * Settles many leases, each on its own: what fails is listed, the rest is durable when the
   * promise resolves. Rejects with STORAGE_UNAVAILABLE: then every lease is held as before.
   */
  async settleAll(settlements: readonly Settlement[]): Promise<Failure[]> {
    this.#parts.serving.advance();
    const failures: Failure[] = [];
    const steps: Step[] = [];
    const counted = new Set<string>();
    let last: { tube: Tube; kind: Settlement["kind"] } | undefined;
    for (const settlement of settlements) {
      const lease = this.#held(settlement);
      if (lease instanceof UsherError) {
        failures.push({ lease: settlement.lease, error: lease });
        continue;
      }
      const tube = this.#parts.tubes.of(lease.slot);
      // A batch is one call of its verb.
      const { kind } = settlement;
      if (last?.tube !== tube || last.kind !== kind) {
        last = { tube, kind };
        const call = `${tube.number} ${kind}`;
        if (!counted.has(call)) tube.calls[kind]++;
        counted.add(call);
      }
      steps.push(this.#begin(tube, lease, settlement));
    }
    await this.#changes.run(steps);
    return failures;
  }

  /** Settles one lease; resolves with the task as it is afterwards. Rejects with LEASE_LOST too. */
  async settle(settlement: Settlement): Promise<TaskView> {
    this.#parts.serving.advance();
    const lease = this.#held(settlement);
    if (lease instanceof UsherError) throw lease;
    const tube = this.#parts.tubes.of(lease.slot);
    tube.calls[settlement.kind]++;
    return this.#changes.runAndView(this.#begin(tube, lease, settlement));
  }

  /**
   * Ends leases that time, or the end of their stream or session, has ended. It counts as a failure
   * of what was begun.
   */
  fail(leases: readonly Lease[], reason: string): void {
    this.#changes.runInBackground(
      leases.map((lease) => this.#fail(this.#parts.tubes.of(lease.slot), lease, undefined, reason)),
    );
  }

  /** The ttl of a task that is not leased is over. */
  expire(tube: Tube, slot: number): void {
    this.#changes.runInBackground([this.#changes.end(tube, slot, "expire", "EXPIRED")]);
  }

  /**
   * Gives up every lease of a tube: an operator's act, no attempt is used. Resolves with their
   * number when that is durable.
   */
  async releaseAll(tube: Tube): Promise<number> {
    const { leases } = this.#parts;
    const all = [...leases.values()].filter(({ slot }) => this.#parts.tubes.of(slot) === tube);
    let released = 0;
    for (let next = 0; next < all.length; next += MOST_IN_ONE_COMMIT) {
      const steps = all
        .slice(next, next + MOST_IN_ONE_COMMIT)
        .filter((lease) => leases.get(lease.token) === lease)
        .map(({ slot }) => {
          const progress = this.#changes.progressOf(slot);
          const unused = { ...progress, attempts: progress.attempts - 1 };
          return this.#changes.move(tube, slot, "fail", state.READY, unused, "RELEASED");
        });
      await this.#changes.run(steps);
      released += steps.length;
    }
    return released;
  }

  /** The lease that a settlement names, if it can be settled so. */
  #held(settlement: Settlement): Lease | UsherError {
    if (settlement.lease === "") return invalid("lease", "must not be empty");
    const lease = this.#parts.leases.get(settlement.lease);
    if (lease === undefined) return new UsherError("LEASE_LOST");
    const { timed } = this.#parts.tubes.of(lease.slot).features;
    if (settlement.kind === "release" && settlement.delayMs !== undefined && !timed) {
      return invalid("delay", "a tube of this kind does not have it");
    }
    return lease;
  }

  #begin(tube: Tube, lease: Lease, settlement: Settlement): Step {
    const { slot } = lease;
    switch (settlement.kind) {
      case "ack":
        return this.#changes.end(tube, slot, "ack", "ACKED");
      case "release":
        return this.#fail(tube, lease, settlement.delayMs, settlement.reason);
      case "bury": {
        if (this.#ttlIsOver(slot)) return this.#changes.end(tube, slot, "fail", "EXPIRED");
        const progress = this.#changes.progressOf(slot);
        const buried = { ...progress, buried: true, reason: settlement.reason };
        return this.#changes.move(tube, slot, "bury", state.BURIED, buried, "BURIED");
      }
      case "touch":
        return this.#touch(tube, lease, settlement.extendMs);
    }
  }

  #fail(tube: Tube, lease: Lease, delayMs: number | undefined, reason: string): Step {
    const changes = this.#changes;
    const { slot } = lease;
    if (this.#ttlIsOver(slot)) return changes.end(tube, slot, "fail", "EXPIRED");
    if (!lease.begun && this.#returnIsFree(slot)) return this.#return(tube, slot, delayMs ?? 0);
    const progress = { ...changes.progressOf(slot), readyAt: 0, reason };
    const { maxAttempts, retryBackoff } = tube.settings;
    if (maxAttempts > 0 && progress.attempts >= maxAttempts) {
      const buried = { ...progress, buried: true };
      return changes.move(tube, slot, "fail", state.BURIED, buried, "BURIED");
    }
    const waitMs = delayMs ?? (retryBackoff ? this.#backoff(retryBackoff, progress.attempts) : 0);
    return this.#again(tube, slot, progress, waitMs);
  }

  /** Whether a task that was not begun comes back without an attempt used. Counts the return. */
  #returnIsFree(slot: number): boolean {
    const { returns } = this.#parts.table;
    const count = (returns.get(slot) ?? 0) + 1;
    if (count < RETURNS_OF_AN_ATTEMPT) returns.set(slot, count);
    else returns.delete(slot);
    return count < RETURNS_OF_AN_ATTEMPT;
  }

  /** The task was not begun: nothing has failed, and the reason of its last failure stays. */
  #return(tube: Tube, slot: number, waitMs: number): Step {
    const progress = this.#changes.progressOf(slot);
    const unused = { ...progress, readyAt: 0, attempts: progress.attempts - 1 };
    return this.#again(tube, slot, unused, waitMs);
  }

  /** The task can be taken again when it has waited. */
  #again(tube: Tube, slot: number, progress: TaskProgress, waitMs: number): Step {
    const changes = this.#changes;
    if (waitMs === 0) return changes.move(tube, slot, "fail", state.READY, progress, "RELEASED");
    const readyAt = this.#parts.clock.monotonic() + waitMs;
    const delayed = { ...progress, readyAt, expiresAt: later(progress.expiresAt, waitMs) };
    return changes.move(tube, slot, "fail", state.DELAYED, delayed, "RELEASED");
  }

  /** The lease stays; its end, and that of the task's ttl, move. */
  #touch(tube: Tube, lease: Lease, extendMs: number): Step {
    const { table, deadlines, committer } = this.#parts;
    const { slot } = lease;
    const before = { deadline: lease.deadline, expiresAt: table.expiresAt[slot] as number };
    const set = (deadline: number, expiresAt: number): void => {
      lease.deadline = deadline;
      table.expiresAt[slot] = expiresAt;
      deadlines.setTask(slot, deadline);
    };
    set(later(before.deadline, extendMs), later(before.expiresAt, extendMs));
    if (!tube.temporary && table.expiresAt[slot] !== Infinity) {
      committer.changes.updates.push(this.#changes.progressOf(slot));
    }
    return {
      tube,
      slot,
      commit() {},
      undo: () => {
        if (table.lease[slot] === lease) set(before.deadline, before.expiresAt);
        return true;
      },
    };
  }

  #ttlIsOver(slot: number): boolean {
    return (this.#parts.table.expiresAt[slot] as number) <= this.#parts.clock.monotonic();
  }

  /** Between half of the back-off and all of it, so that retries spread out. */
  #backoff({ initialMs, maxMs, multiplier }: RetryBackoff, attempts: number): number {
    const whole = Math.min(maxMs, initialMs * multiplier ** Math.max(0, attempts - 1));
    return Math.ceil(whole * (0.5 + this.#random() / 2));
  }
}

/** A time that many milliseconds later. Never (Infinity) stays never. */
function later(time: number, byMs: number): number {
  return time === Infinity ? Infinity : Math.min(LATEST_MS, time + byMs);
}
