import assert from "node:assert/strict";
import fc from "fast-check";
import type { TubeSettings } from "../../../src/queue/repository.ts";
import type { RunningEngine } from "../running-engine.ts";
import {
  durationMs,
  fitSettings,
  type NewTubeCase,
  newTube,
  pick,
  sessionTtlMs,
  settings,
  someTicks,
  TICK,
  tubeNames,
  waitMs,
} from "./arbitraries.ts";
import { compare, learn } from "./comparison.ts";
import { Observed } from "./observed.ts";
import {
  atOnce,
  durableOperation,
  leaseAt,
  type Planned,
  settlementsAtOnce,
  tubeAt,
} from "./operations.ts";
import type { Reference } from "./reference.ts";
import { type ReferenceSession, ReferenceTube } from "./reference-tube.ts";

/** Does something to both, if there is something to do it to. */
type Play = (reference: Reference, real: RunningEngine) => Promise<void>;

/** Something that callers or time do. Afterwards all that can be seen of both is compared. */
class Command implements fc.AsyncCommand<Reference, RunningEngine> {
  readonly #name: string;
  readonly #play: Play;

  constructor(name: string, play: Play) {
    this.#name = name;
    this.#play = play;
  }

  check(): boolean {
    return true;
  }

  async run(reference: Reference, real: RunningEngine): Promise<void> {
    await this.#play(reference, real);
    reference.settleDown();
    await compare(reference, real);
  }

  toString(): string {
    return this.#name;
  }
}

/** Resolves when nothing more happens by itself at this time. */
async function quiet(real: RunningEngine): Promise<void> {
  for (let round = 0; round < 4; round++) await real.step(0);
}

async function observe<T>(real: RunningEngine, call: Promise<T>): Promise<Observed<T>> {
  const answer = new Observed(call);
  await quiet(real);
  return answer;
}

// Operations that are durable

function done(planned: Planned): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    reference.story.push(operation.said);
    operation.call(real);
    await quiet(real);
    operation.counted();
    operation.happened(true);
  };
}

function refused(planned: Planned): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    reference.story.push(`while the store refuses: ${operation.said}`);
    real.store.refuseCommits();
    const answer = operation.call(real);
    await quiet(real);
    // What needs no commit is not refused.
    real.store.refuseCommits(0);
    operation.counted();
    if (!answer.unavailable) operation.happened(true);
  };
}

function refusedTogether(planned: readonly Planned[]): Play {
  return async (reference, real) => {
    const operations = planned.map((each) => each(reference)).filter((each) => each !== undefined);
    const said = operations.map((operation) => operation.said).join(" + ");
    reference.story.push(`while the store refuses, together: ${said}`);
    real.store.refuseCommits();
    const answers = operations.map((operation) => operation.call(real));
    await quiet(real);
    real.store.refuseCommits(0);
    if (answers.every(({ unavailable }) => !unavailable)) {
      for (const operation of operations) {
        operation.counted();
        operation.happened(true);
      }
      return;
    }
    // Which of them were worth a call depends on those before, as if they had been kept.
    for (const { name, calls } of reference.tubes.values()) {
      Object.assign(calls, real.statistics(name).calls);
    }
  };
}

function crashDuring(planned: Planned, kept: boolean): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    const commit = `a commit that was ${kept ? "" : "not "}kept`;
    reference.story.push(`killed after ${commit}: ${operation.said}`);
    if (kept) real.store.loseAnswers();
    else real.store.hold();
    operation.call(real);
    await real.idle();
    if (kept) operation.happened(false);
    await crashBoth(reference, real, 0);
  };
}

function together(planned: readonly Planned[]): Play {
  return async (reference, real) => {
    const operations = planned.map((each) => each(reference)).filter((each) => each !== undefined);
    reference.story.push(`together: ${operations.map(({ said }) => said).join(" + ")}`);
    for (const operation of operations) operation.call(real);
    await quiet(real);
    for (const operation of operations) {
      operation.counted();
      operation.happened(true);
    }
  };
}

// Taking

function take(number: number, maxTasks: number, wait: number, session: number | undefined): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    const named = session === undefined ? undefined : sessionAt(reference, session);
    const options = { maxTasks, waitMs: wait, session: named?.id ?? "" };
    const details = `${wait > 0 ? ` wait=${wait}` : ""}${named ? " in a session" : ""}`;
    reference.story.push(`take ${maxTasks} of ${tube.name}${details}`);
    const answer = await observe(real, real.take(tube.name, options));
    reference.take(tube, maxTasks, wait, named, answer);
  };
}

function giveBack(number: number): Play {
  return async (reference, real) => {
    const handed = leaseAt(reference, number);
    if (handed === undefined || handed.task.lease?.touched) return;
    const { tube, task, token } = handed;
    const view = await real.engine.getTask(tube.name, task.id).catch(() => undefined);
    if (view === undefined) return;
    reference.story.push(`give back ${tube.name}#${task.id}`);
    real.engine.giveBack([{ ...view, lease: token }]);
    await quiet(real);
    if (reference.held(token) !== undefined) reference.giveBack(handed);
  };
}

// Sessions

function openSession(ttlMs: number): Play {
  return async (reference, real) => {
    reference.story.push(`open a session of ${ttlMs}`);
    const { id, expiresAt } = real.engine.openSession(ttlMs);
    assert.equal(expiresAt, reference.now + ttlMs);
    reference.sessions.push({ id, ttlMs, expiresAt, users: 0 });
  };
}

function renewSession(number: number): Play {
  return async (reference, real) => {
    const session = sessionAt(reference, number);
    if (session === undefined) return;
    reference.story.push("renew a session");
    real.engine.renewSession(session.id);
    reference.renew(session);
  };
}

function closeSession(number: number): Play {
  return async (reference, real) => {
    const session = sessionAt(reference, number);
    if (session === undefined) return;
    reference.story.push("close a session");
    real.engine.closeSession(session.id);
    await quiet(real);
    reference.endSession(session);
  };
}

function sessionAt({ sessions }: Reference, number: number): ReferenceSession | undefined {
  return sessions[number % sessions.length];
}

// Tubes

export function createTube(number: number, given: NewTubeCase): Play {
  return async (reference, real) => {
    const name = tubeNames[number] as string;
    const { kind, temporary, settings } = given;
    const { capacity, maxAttempts, dedupWindowMs } = settings;
    const untimed = { ...(capacity > 0 && { capacity }), maxAttempts, dedupWindowMs };
    const tube = new ReferenceTube(name, kind, temporary, settings);
    const asked = { name, kind, temporary, settings: tube.timed ? settings : untimed };
    const said = `${temporary ? "a temporary " : ""}${kind} ${saySettings(asked.settings)}`;
    reference.story.push(`make ${name}, ${said}`);
    const answer = await observe(real, real.engine.createTube(asked, false));
    if (reference.tubes.has(name)) {
      answer.refused("TUBE_ALREADY_EXISTS");
    } else {
      answer.value();
      reference.tubes.set(name, tube);
    }
  };
}

function deleteTube(number: number, force: boolean): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    reference.story.push(`delete ${tube.name}${force ? " by force" : ""}`);
    const answer = await observe(real, real.engine.deleteTube(tube.name, force));
    if (!force && tube.inState("LEASED").length > 0) answer.refused("TUBE_IN_USE");
    else {
      answer.value();
      for (const waiting of [...tube.takers, ...tube.puts])
        waiting.answer.refused("TUBE_NOT_FOUND");
      for (const { session } of tube.takers) {
        if (session === undefined) continue;
        session.users--;
        reference.renew(session);
      }
      for (const task of tube.tasks) tube.remove(task);
      reference.tubes.delete(tube.name);
    }
  };
}

function updateTube(number: number, given: TubeSettings): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    const fitting = fitSettings(tube.kind, given);
    const { maxAttempts, dedupWindowMs } = fitting;
    const changed = tube.timed ? fitting : { maxAttempts, dedupWindowMs };
    reference.story.push(`update ${tube.name} ${saySettings(changed)}`);
    const answer = await observe(real, real.engine.updateTube(tube.name, changed));
    tube.settings = { ...tube.settings, ...changed };
    assert.deepEqual(answer.value().settings, tube.settings);
  };
}

function pause(number: number, forMs: number): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    reference.story.push(forMs === 0 ? `resume ${tube.name}` : `pause ${tube.name} for ${forMs}`);
    tube.pausedUntil = forMs === 0 ? 0 : reference.now + forMs;
    const answer = await observe(real, real.engine.pauseTube(tube.name, tube.pausedUntil));
    assert.equal(answer.value().pausedUntil, tube.pausedUntil);
  };
}

// Time, and the end of processes

function pass(ticks: number): Play {
  return async (reference, real) => {
    reference.story.push(`${ticks * TICK} ms pass`);
    for (let tick = 0; tick < ticks; tick++) {
      real.clock.step(TICK);
      await quiet(real);
      reference.now += TICK;
      reference.settleDown();
    }
  };
}

function restart(ticks: number): Play {
  return async (reference, real) => {
    reference.story.push(`stopped, and started ${ticks * TICK} ms later`);
    await real.restart(ticks * TICK);
    reference.restart(reference.now + ticks * TICK);
    await quiet(real);
  };
}

function crash(ticks: number): Play {
  return async (reference, real) => {
    reference.story.push(`killed, and started ${ticks * TICK} ms later`);
    await crashBoth(reference, real, ticks);
  };
}

async function crashBoth(reference: Reference, real: RunningEngine, ticks: number): Promise<void> {
  await real.crash(ticks * TICK);
  await quiet(real);
  reference.crash(reference.now + ticks * TICK);
  reference.settleDown();
  await learn(reference, real);
}

function saySettings(given: Partial<TubeSettings>): string {
  return JSON.stringify(given, (_, value) => (value === Infinity ? "never" : value));
}

const downTicks = fc.integer({ min: 0, max: 3 });
const maxTasks = fc.integer({ min: 1, max: 3 });
const perhapsSession = fc.option(pick, { nil: undefined });
const pauseMs = fc.oneof(durationMs, fc.constantFrom(0, Infinity));

/** What is done, how often in proportion, and to what. */
const plays: Readonly<Record<string, readonly [number, fc.Arbitrary<Play>]>> = {
  change: [20, durableOperation.map(done)],
  "change at once": [4, atOnce.map(together)],
  take: [16, fc.tuple(pick, maxTasks, waitMs, perhapsSession).map((given) => take(...given))],
  "let time pass": [10, someTicks.map(pass)],
  "refuse a commit": [2, durableOperation.map(refused)],
  "refuse a commit of many": [1, settlementsAtOnce.map(refusedTogether)],
  "kill in a commit": [
    2,
    fc.tuple(durableOperation, fc.boolean()).map((given) => crashDuring(...given)),
  ],
  "give back": [2, pick.map(giveBack)],
  "open a session": [2, sessionTtlMs.map(openSession)],
  "renew a session": [1, pick.map(renewSession)],
  "close a session": [1, pick.map(closeSession)],
  "make a tube": [1, fc.tuple(fc.nat({ max: 2 }), newTube).map((given) => createTube(...given))],
  "delete a tube": [1, fc.tuple(pick, fc.boolean()).map((given) => deleteTube(...given))],
  "update a tube": [1, fc.tuple(pick, settings).map((given) => updateTube(...given))],
  "pause a tube": [2, fc.tuple(pick, pauseMs).map((given) => pause(...given))],
  restart: [2, downTicks.map(restart)],
  kill: [2, downTicks.map(crash)],
};

/** Anything that can be done to the queues. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  ...Object.entries(plays).map(([name, [weight, arbitrary]]) => ({
    weight,
    arbitrary: arbitrary.map((play) => new Command(name, play)),
  })),
);
