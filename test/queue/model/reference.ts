import assert from "node:assert/strict";
import type { PutOutcome } from "../../../src/queue/rules/putting.ts";
import type { Failure, Settlement } from "../../../src/queue/rules/settling.ts";
import type { TaskView } from "../../../src/queue/rules/task-view.ts";
import { stateName } from "../running-engine.ts";
import type { Observed } from "./observed.ts";
import type {
  ReferenceSession,
  ReferenceTask,
  ReferenceTube,
  TaskToPut,
} from "./reference-tube.ts";

/** A lease that was handed out, in whatever has become of it. */
export interface Handed {
  readonly token: string;
  readonly tube: ReferenceTube;
  readonly task: ReferenceTask;
}

/** Something that needs a commit, and the time for which it was due. */
interface Due {
  readonly at: number;
  readonly happens: () => void;
}

/** The contract, as plainly as it can be written: what the engine must answer, and what it has. */
export class Reference {
  now: number;
  readonly tubes = new Map<string, ReferenceTube>();
  sessions: ReferenceSession[] = [];
  readonly handed: Handed[] = [];
  /** For payloads: how many tasks were put. */
  labels = 0;
  /** What was done so far, for people who read a counterexample. */
  readonly story: string[] = [];

  constructor(now: number) {
    this.now = now;
  }

  // What callers do, with what the engine has answered

  put(
    tube: ReferenceTube,
    tasks: readonly TaskToPut[],
    waitMs: number,
    answer: Observed<PutOutcome>,
  ): void {
    if (this.admits(tube, tasks)) this.#admit(tube, tasks, answer.value());
    else if (waitMs === 0) answer.refused("TUBE_FULL");
    else tube.puts.push({ tasks, until: this.now + waitMs, answer });
  }

  /** Whether a put that comes now is let in at once. */
  admits(tube: ReferenceTube, tasks: readonly TaskToPut[]): boolean {
    if (tube.needed(tasks, this.now) === 0) return true;
    return tube.puts.length === 0 && tube.hasRoomFor(tasks, this.now);
  }

  /** A put that was kept and never answered: its ids are not known. */
  putUnseen(tube: ReferenceTube, tasks: readonly TaskToPut[]): void {
    for (const task of tasks) {
      if (tube.firstOf(task.dedupKey, this.now) === undefined) tube.add(task, 0, this.now);
    }
  }

  take(
    tube: ReferenceTube,
    wanted: number,
    waitMs: number,
    session: ReferenceSession | undefined,
    answer: Observed<readonly TaskView[]>,
  ): void {
    if (session !== undefined) this.renew(session);
    tube.calls.take++;
    const taken = tube.takers.length === 0 ? tube.take(wanted, session, this.now) : [];
    if (taken.length > 0 || waitMs === 0) {
      this.#deliver(tube, taken, answer);
    } else {
      tube.takers.push({ wanted, until: this.now + waitMs, session, answer });
      if (session !== undefined) session.users++;
    }
  }

  /** What becomes of one settlement; the failures that the engine must tell. */
  settle(settlement: Settlement): Failure["error"]["reason"] | undefined {
    const held = this.held(settlement.lease);
    if (held === undefined) return "LEASE_LOST";
    const { tube, task } = held;
    switch (settlement.kind) {
      case "ack":
        tube.remove(task);
        tube.done++;
        return undefined;
      case "release":
        if (isUnfit(tube, settlement)) return "INVALID_PARAMS";
        tube.fail(task, settlement.delayMs, settlement.reason, this.now);
        return undefined;
      case "bury":
        tube.bury(task, settlement.reason, this.now);
        return undefined;
      case "touch": {
        const { lease } = task;
        assert.ok(lease);
        lease.deadline += settlement.extendMs;
        lease.touched = true;
        task.expiresAt += settlement.extendMs;
        if (task.expiresAt !== Infinity) task.durableAttempts = task.attempts;
        return undefined;
      }
    }
  }

  /** A batch counts as one call of each verb in each tube, where one of its leases is held. */
  count(settlements: readonly Settlement[]): void {
    const counted = new Set<string>();
    const settled = new Set<string>();
    for (const settlement of settlements) {
      const { kind, lease } = settlement;
      const tube = this.held(lease)?.tube;
      if (tube === undefined || settled.has(lease) || isUnfit(tube, settlement)) continue;
      if (kind !== "touch") settled.add(lease);
      if (!counted.has(`${kind} ${tube.name}`)) tube.calls[kind]++;
      counted.add(`${kind} ${tube.name}`);
    }
  }

  /** The live lease of this token. */
  held(token: string): Handed | undefined {
    return this.handed.find((each) => each.token === token && each.task.lease?.token === token);
  }

  giveBack({ task }: Handed): void {
    task.lease = undefined;
    task.state = "READY";
    task.attempts--;
  }

  renew(session: ReferenceSession): void {
    session.expiresAt = this.now + session.ttlMs;
  }

  /** What it held is released; takes that wait with it are refused. */
  endSession(session: ReferenceSession): void {
    this.sessions = this.sessions.filter((other) => other !== session);
    for (const tube of this.tubes.values()) {
      for (const { answer } of tube.takers.filter((taker) => taker.session === session)) {
        answer.refused("SESSION_NOT_FOUND");
      }
      tube.takers = tube.takers.filter((taker) => taker.session !== session);
      for (const task of tube.tasks.filter(({ lease }) => lease?.session === session)) {
        tube.fail(task, undefined, "session over", this.now);
      }
    }
  }

  /** A clean stop and a start: leases and sessions go on, those who wait are answered. */
  restart(now: number): void {
    for (const tube of this.tubes.values()) {
      for (const { session, answer } of tube.takers) {
        if (session !== undefined) this.#leave(session);
        this.#deliver(tube, [], answer);
      }
      for (const { answer } of tube.puts) answer.refused("SHUTTING_DOWN");
      tube.restart(now);
    }
    this.now = now;
  }

  /** The process was killed: what was promised is there, leases and sessions are not. */
  crash(now: number): void {
    this.sessions = [];
    for (const tube of this.tubes.values()) {
      for (const task of tube.inState("LEASED")) {
        task.lease = undefined;
        task.state = "READY";
      }
      tube.restart(now);
      tube.idsAreNext = false;
    }
    this.now = now;
  }

  // What time brings about

  /** Lets happen what is due now, and serves those who wait. */
  settleDown(): void {
    // What needs no commit comes first, and those who wait see it first.
    const due: Due[] = [];
    for (const tube of this.tubes.values()) {
      if (tube.pausedUntil <= this.now) tube.pausedUntil = 0;
      for (const task of tube.tasks) this.#taskDue(tube, task, due);
      for (const taker of tube.takers.filter(({ until }) => until <= this.now)) {
        tube.takers = tube.takers.filter((other) => other !== taker);
        if (taker.session !== undefined) this.#leave(taker.session);
        this.#deliver(tube, [], taker.answer);
      }
      for (const put of tube.puts.filter(({ until }) => until <= this.now)) {
        tube.puts = tube.puts.filter((other) => other !== put);
        put.answer.refused("TUBE_FULL");
      }
    }
    for (const session of this.sessions.filter(({ expiresAt }) => expiresAt <= this.now)) {
      if (session.users > 0) this.renew(session);
      else due.push({ at: session.expiresAt, happens: () => this.endSession(session) });
    }
    this.#serve();
    for (const { happens } of due.sort((a, b) => a.at - b.at)) happens();
    this.#serve();
  }

  #taskDue(tube: ReferenceTube, task: ReferenceTask, due: Due[]): void {
    if (task.state === "LEASED") {
      const at = task.lease?.deadline ?? Infinity;
      const reason = task.ttrMs === Infinity ? "lease over" : "ttr over";
      const happens = () => {
        if (task.state === "LEASED") tube.fail(task, undefined, reason, this.now);
      };
      if (at <= this.now) due.push({ at, happens });
    } else if (task.expiresAt <= this.now) {
      // Nobody is given it any more, but its room is not free yet.
      task.state = "DELAYED";
      due.push({ at: task.expiresAt, happens: () => tube.expire(task) });
    } else if (task.state === "DELAYED" && task.readyAt <= this.now) {
      task.state = "READY";
    }
  }

  #serve(): void {
    for (const tube of this.tubes.values()) {
      for (let served = true; served; ) {
        served = this.#serveTaker(tube) || this.#servePut(tube);
      }
    }
  }

  #serveTaker(tube: ReferenceTube): boolean {
    const [taker] = tube.takers;
    if (taker === undefined) return false;
    const taken = tube.take(taker.wanted, taker.session, this.now);
    if (taken.length === 0) return false;
    tube.takers = tube.takers.slice(1);
    if (taker.session !== undefined) this.#leave(taker.session);
    this.#deliver(tube, taken, taker.answer);
    return true;
  }

  #servePut(tube: ReferenceTube): boolean {
    const [put] = tube.puts;
    if (put === undefined || !tube.hasRoomFor(put.tasks, this.now)) return false;
    tube.puts = tube.puts.slice(1);
    this.#admit(tube, put.tasks, put.answer.value());
    return true;
  }

  #leave(session: ReferenceSession): void {
    session.users--;
    this.renew(session);
  }

  #admit(tube: ReferenceTube, tasks: readonly TaskToPut[], { ids, duplicates }: PutOutcome): void {
    assert.equal(ids.length, tasks.length);
    for (const [index, task] of tasks.entries()) {
      const id = ids[index] as number;
      const first = tube.firstOf(task.dedupKey, this.now);
      assert.equal(duplicates.includes(index), first !== undefined, `task ${index} is a duplicate`);
      if (first !== undefined) {
        // Unless its id was never told.
        if (first.id !== 0) assert.equal(id, first.id, "a duplicate has the id of the first");
        continue;
      }
      if (tube.idsAreNext) assert.equal(id, tube.lastId + 1, "ids go on by one");
      assert.ok(id > tube.lastId, "an id is never used again");
      tube.lastId = id;
      tube.idsAreNext = true;
      tube.add(task, id, this.now);
    }
  }

  #deliver(
    tube: ReferenceTube,
    taken: ReferenceTask[],
    answer: Observed<readonly TaskView[]>,
  ): void {
    const views = answer.value();
    assert.deepEqual(
      views.map(({ id }) => id),
      taken.map(({ id }) => id),
      "the tasks that are next are taken",
    );
    for (const [index, view] of views.entries()) {
      const task = taken[index] as ReferenceTask;
      assert.ok(task.lease);
      assert.ok(view.fence > task.fence, "a fence grows");
      assert.ok(!this.handed.some(({ token }) => token === view.lease), "no lease is given twice");
      assert.equal(view.attempt, task.attempts);
      assert.equal(view.payload?.value, task.label);
      assert.equal(stateName(view), "LEASED");
      task.fence = view.fence;
      task.lease.token = view.lease;
      this.handed.push({ token: view.lease, tube, task });
    }
  }
}

/** A delay in a tube whose tasks have none. */
function isUnfit(tube: ReferenceTube, settlement: Settlement): boolean {
  return settlement.kind === "release" && settlement.delayMs !== undefined && !tube.timed;
}
