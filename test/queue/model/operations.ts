import assert from "node:assert/strict";
import fc from "fast-check";
import type { QueueEngine } from "../../../src/queue/engine.ts";
import type { Settlement } from "../../../src/queue/rules/settling.ts";
import { newTask, type RunningEngine, text } from "../running-engine.ts";
import {
  fitTask,
  pick,
  type SettlementCase,
  settlement,
  type TaskCase,
  tasks,
  waitMs,
} from "./arbitraries.ts";
import { Observed } from "./observed.ts";
import type { Handed, Reference } from "./reference.ts";
import type { ReferenceTask, ReferenceTube } from "./reference-tube.ts";

/** A call whose effect is durable when it is answered. */
export interface Operation {
  /** For people who read a counterexample. */
  readonly said: string;
  /** Calls the engine; what becomes of that is seen later. */
  call(real: RunningEngine): { readonly unavailable: boolean };
  /** The call is counted, whether the store takes the change or not. */
  counted(): void;
  /** The reference does the same. Unless it was seen, nobody was told that it was kept. */
  happened(seen: boolean): void;
}

/** An operation on what there is when it is run; undefined where there is nothing. */
export type Planned = (reference: Reference) => Operation | undefined;

function operation<T>(
  said: string,
  call: (engine: QueueEngine) => Promise<T>,
  then: { counted?: () => void; happened: (answer: Observed<T> | undefined) => void },
): Operation {
  let answer: Observed<T> | undefined;
  return {
    said,
    call: (real) => {
      answer = new Observed(call(real.engine));
      return answer;
    },
    counted: () => then.counted?.(),
    happened: (seen) => then.happened(seen ? answer : undefined),
  };
}

export function tubeAt(reference: Reference, number: number): ReferenceTube | undefined {
  const tubes = [...reference.tubes.values()];
  return tubes[number % tubes.length];
}

/** Mostly one that is held, now and then one that was. */
export function leaseAt(reference: Reference, number: number): Handed | undefined {
  const held = reference.handed.filter(({ token }) => reference.held(token) !== undefined);
  const among = number % 5 === 4 || held.length === 0 ? reference.handed : held;
  return among[number % among.length];
}

function put(number: number, given: readonly TaskCase[], wait: number): Planned {
  return (reference) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return undefined;
    const asked = given.map((task) => fitTask(tube.kind, task, `p${++reference.labels}`));
    const options = { waitMs: wait, signal: undefined, field: String };
    const records = asked.map(({ label, ...task }) => newTask({ ...text(label), ...task }));
    return operation(
      `put ${tube.name} ${asked.map(brief).join(" ")}${wait > 0 ? ` wait=${wait}` : ""}`,
      (engine) => engine.put(tube.name, records, options),
      {
        counted: () => {
          tube.calls.put++;
          tube.idsAreNext = false;
        },
        happened: (answer) => {
          if (answer !== undefined) reference.put(tube, asked, wait, answer);
          else if (reference.admits(tube, asked)) reference.putUnseen(tube, asked);
        },
      },
    );
  };
}

function settle(given: SettlementCase): Planned {
  return (reference) => {
    const handed = leaseAt(reference, given.pick);
    if (handed === undefined) return undefined;
    const asked = settlementOf(given, handed);
    return operation(saySettlement(asked, handed), (engine) => engine.settle(asked), {
      counted: () => reference.count([asked]),
      happened: (answer) => {
        const refused = reference.settle(asked);
        if (refused !== undefined) answer?.refused(refused);
        else if (answer !== undefined) assert.equal(answer.value().id, handed.task.id);
      },
    });
  };
}

function settleAll(given: readonly SettlementCase[]): Planned {
  return (reference) => {
    const asked: Settlement[] = [];
    const said: string[] = [];
    for (const each of given) {
      const handed = leaseAt(reference, each.pick);
      if (handed === undefined) return undefined;
      asked.push(settlementOf(each, handed));
      said.push(saySettlement(settlementOf(each, handed), handed));
    }
    return operation(`all of: ${said.join(", ")}`, (engine) => engine.settleAll(asked), {
      counted: () => reference.count(asked),
      happened: (answer) => {
        const failures = asked
          .map((each) => ({ lease: each.lease, reason: reference.settle(each) }))
          .filter(({ reason }) => reason !== undefined);
        const told = answer?.value().map(({ lease, error }) => ({ lease, reason: error.reason }));
        if (told !== undefined) assert.deepEqual(told, failures);
      },
    });
  };
}

function kick(number: number, count: number): Planned {
  return (reference) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return undefined;
    return operation(`kick ${tube.name} ${count}`, (engine) => engine.kickTasks(tube.name, count), {
      counted: () => {
        tube.calls.kick++;
      },
      happened: (answer) => {
        const kicked = tube.inState("BURIED").slice(0, count);
        for (const task of kicked) tube.kick(task, reference.now);
        if (answer !== undefined) assert.equal(answer.value(), kicked.length);
      },
    });
  };
}

function byId(verb: "bury" | "delete", number: number, at: number): Planned {
  return (reference) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return undefined;
    const task = tube.tasks[at % (tube.tasks.length + 1)];
    const id = task?.id ?? tube.lastId + 1;
    const can = task !== undefined && (verb === "delete" || isBuriable(task));
    return operation(
      `${verb} ${tube.name}#${id}`,
      (engine) =>
        verb === "bury"
          ? engine.buryTask(tube.name, id, "by id")
          : engine.deleteTask(tube.name, id),
      {
        counted: () => {
          if (can) tube.calls[verb]++;
        },
        happened: (answer) => {
          if (!can) {
            answer?.refused(task === undefined ? "TASK_NOT_FOUND" : "TASK_NOT_BURIABLE");
            return;
          }
          if (answer !== undefined) assert.equal(answer.value().id, id);
          if (verb === "bury") {
            tube.bury(task, "by id", reference.now);
          } else {
            tube.remove(task);
            tube.done++;
          }
        },
      },
    );
  };
}

function truncate(number: number): Planned {
  return (reference) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return undefined;
    return operation(`truncate ${tube.name}`, (engine) => engine.truncateTube(tube.name), {
      happened: (answer) => {
        if (answer !== undefined) assert.equal(answer.value(), tube.tasks.length);
        for (const task of tube.tasks) task.lease = undefined;
        tube.tasks = [];
      },
    });
  };
}

function releaseAll(number: number): Planned {
  return (reference) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return undefined;
    return operation(`release all of ${tube.name}`, (engine) => engine.releaseAll(tube.name), {
      happened: (answer) => {
        const leased = tube.inState("LEASED");
        if (answer !== undefined) assert.equal(answer.value(), leased.length);
        for (const task of leased) {
          task.lease = undefined;
          task.state = "READY";
          task.durableAttempts = --task.attempts;
        }
      },
    });
  };
}

const count = fc.integer({ min: 1, max: 3 });
const puts = fc.tuple(pick, tasks, waitMs).map((given) => put(...given));
const settlements = settlement.map(settle);
const batches = fc.array(settlement, { minLength: 2, maxLength: 5 }).map(settleAll);
const kicks = fc.tuple(pick, count).map((given) => kick(...given));
const burials = fc.tuple(pick, pick).map((given) => byId("bury", ...given));
const deletions = fc.tuple(pick, pick).map((given) => byId("delete", ...given));

export const durableOperation: fc.Arbitrary<Planned> = fc.oneof(
  { weight: 8, arbitrary: puts },
  { weight: 8, arbitrary: settlements },
  { weight: 2, arbitrary: batches },
  { weight: 2, arbitrary: kicks },
  { weight: 2, arbitrary: burials },
  { weight: 1, arbitrary: deletions },
  { weight: 1, arbitrary: pick.map(releaseAll) },
  { weight: 1, arbitrary: pick.map(truncate) },
);

export const settlementsAtOnce = fc.array(fc.oneof(settlements, batches), {
  minLength: 2,
  maxLength: 4,
});

/** Calls in one turn that end as if each had come after the one before. */
export const atOnce: fc.Arbitrary<Planned[]> = fc.oneof(
  fc.array(puts, { minLength: 2, maxLength: 4 }),
  settlementsAtOnce,
);

function isBuriable({ state }: ReferenceTask): boolean {
  return state === "READY" || state === "DELAYED";
}

function settlementOf({ kind, delayMs, extendMs }: SettlementCase, { token }: Handed): Settlement {
  switch (kind) {
    case "ack":
      return { kind, lease: token };
    case "release":
      return { kind, lease: token, delayMs, reason: "" };
    case "bury":
      return { kind, lease: token, reason: "by lease" };
    case "touch":
      return { kind, lease: token, extendMs };
  }
}

function saySettlement(asked: Settlement, { tube, task }: Handed): string {
  const { kind, lease: _, ...details } = asked;
  const stale = task.lease?.token === asked.lease ? "" : " (lost)";
  return `${kind} ${tube.name}#${task.id}${stale}${brief({ label: "", ...details })}`;
}

/** The label, and in parentheses what is set. */
function brief({ label, ...details }: { readonly label: string }): string {
  const set = Object.entries(details).filter(([, value]) => value !== undefined && value !== "");
  if (set.length === 0) return label;
  return `${label}(${set.map(([name, value]) => `${name}=${value}`).join(" ")})`;
}
