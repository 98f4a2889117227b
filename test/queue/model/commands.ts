import assert from "node:assert/strict";
import fc from "fast-check";
import type { RunningEngine } from "../running-engine.ts";
import {
  durationMs,
  newTube,
  pick,
  sessionTtlMs,
  settings,
  someTicks,
  TICK,
  waitMs,
} from "./arbitraries.ts";
import { compare } from "./comparison.ts";
import { crashDuring, done, refused, refusedTogether, together } from "./operation-plays.ts";
import { atOnce, durableOperation, leaseAt, settlementsAtOnce, tubeAt } from "./operations.ts";
import { crashBoth, observe, type Play, quiet } from "./play.ts";
import type { Reference } from "./reference.ts";
import type { ReferenceSession } from "./reference-tube.ts";
import { createTube, deleteTube, pause, updateTube } from "./tube-plays.ts";

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
