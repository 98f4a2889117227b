import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { TubeSettings } from "../../../src/queue/repository.ts";
import type { NewTask } from "../../../src/queue/rules/new-task.ts";
import type { TaskView } from "../../../src/queue/rules/task-view.ts";
import {
  assertTransition,
  canHappen,
  type TaskEvent,
  transitions,
} from "../../../src/queue/rules/transitions.ts";
import { type StateName, state } from "../../../src/queue/structures/task-state.ts";
import { assertReason, type RunningEngine, startEngine } from "../running-engine.ts";

/** The table of the contract: what may happen to a task, and what it is then. */
const contract: Record<TaskEvent, readonly string[]> = {
  put: ["NONE READY", "NONE DELAYED"],
  delayOver: ["DELAYED READY"],
  take: ["READY LEASED"],
  giveBack: ["LEASED READY"],
  ack: ["LEASED DONE"],
  fail: ["LEASED READY", "LEASED DELAYED", "LEASED BURIED", "LEASED DONE"],
  bury: ["LEASED BURIED", "READY BURIED", "DELAYED BURIED"],
  kick: ["BURIED READY"],
  expire: ["READY DONE", "DELAYED DONE", "BURIED DONE"],
  delete: ["READY DONE", "DELAYED DONE", "BURIED DONE", "LEASED DONE"],
};

const events = Object.keys(transitions) as TaskEvent[];
const states = Object.keys(state) as StateName[];

test("the table has what the contract has, and every other change is refused", () => {
  assert.deepEqual(events.toSorted(), Object.keys(contract).sort());
  for (const event of events) {
    for (const from of states) {
      for (const to of states) {
        const change = () => assertTransition(event, state[from], state[to]);
        if (contract[event].includes(`${from} ${to}`)) change();
        else assert.throws(change, new RegExp(`${from} to ${to} on ${event}`));
      }
      const possible = contract[event].some((row) => row.startsWith(`${from} `));
      assert.equal(canHappen(event, state[from]), possible, `${event} of a task that is ${from}`);
    }
  }
});

/** Makes each change of the table happen to the one task of a tube, and leaves it there. */
const walks: Record<string, (q: RunningEngine) => Promise<unknown>> = {
  "put NONE READY": (q) => given(q, {}),
  "put NONE DELAYED": (q) => given(q, { delayMs: 1 }),
  "delayOver DELAYED READY": async (q) => {
    await given(q, { delayMs: 1_000 });
    await q.step(1_000);
  },
  "take READY LEASED": (q) => leased(q),
  "giveBack LEASED READY": async (q) => q.engine.giveBack([await leased(q)]),
  "ack LEASED DONE": async (q) => q.ack(await leased(q)),
  "fail LEASED READY": async (q) => q.release(await leased(q)),
  "fail LEASED DELAYED": async (q) => q.release(await leased(q), 1_000),
  "fail LEASED BURIED": async (q) => q.release(await leased(q, {}, { maxAttempts: 1 })),
  "fail LEASED DONE": async (q) => {
    await leased(q, { ttlMs: 1_000 });
    await q.step(1_000);
  },
  "bury LEASED BURIED": async (q) => q.bury(await leased(q)),
  "bury READY BURIED": async (q) => q.engine.buryTask("t", await given(q, {}), ""),
  "bury DELAYED BURIED": async (q) => q.engine.buryTask("t", await given(q, { delayMs: 1 }), ""),
  "kick BURIED READY": async (q) => {
    await buried(q);
    await q.engine.kickTasks("t", 1);
  },
  "expire READY DONE": async (q) => {
    await given(q, { ttlMs: 1_000 });
    await q.step(1_000);
  },
  "expire DELAYED DONE": async (q) => {
    await given(q, { ttlMs: 1_000, delayMs: 1_000 });
    // Where the process was too busy to notice the end of the delay.
    q.clock.leap(2_000);
    await q.step(0);
  },
  "expire BURIED DONE": async (q) => {
    await buried(q, { ttlMs: 1_000 });
    await q.step(1_000);
  },
  "delete READY DONE": async (q) => q.engine.deleteTask("t", await given(q, {})),
  "delete DELAYED DONE": async (q) => q.engine.deleteTask("t", await given(q, { delayMs: 1 })),
  "delete BURIED DONE": async (q) => q.engine.deleteTask("t", await buried(q)),
  "delete LEASED DONE": async (q) => q.engine.deleteTask("t", (await leased(q)).id),
};

describe("every change of the table happens, and a crash keeps what is durable of it", () => {
  const rows = Object.entries(contract).flatMap(([event, changes]) =>
    changes.map((change) => `${event} ${change}`),
  );
  test("there is a walk for each", () => {
    assert.deepEqual(Object.keys(walks), rows);
  });
  for (const [row, walk] of Object.entries(walks)) {
    const [, , to] = row.split(" ") as [TaskEvent, StateName, StateName];
    test(row, async (t: TestContext) => {
      const q = await startEngine(t);
      await walk(q);
      await assertState(q, to);
      await q.crash();
      await assertState(q, to === "LEASED" ? "READY" : to);
    });
  }
});

async function assertState(q: RunningEngine, expected: StateName): Promise<void> {
  const { ready, leased, delayed, buried, total } = q.statistics("t");
  if (expected === "DONE") {
    assert.equal(total, 0);
    await assertReason(q.engine.getTask("t", 1), "TASK_NOT_FOUND");
    return;
  }
  assert.equal(await q.stateOf("t", 1), expected);
  const counts = { NONE: 0, READY: ready, LEASED: leased, DELAYED: delayed, BURIED: buried };
  assert.equal(counts[expected], 1);
  assert.equal(total, 1);
}

async function given(
  q: RunningEngine,
  task: Partial<NewTask>,
  settings: Partial<TubeSettings> = {},
): Promise<number> {
  await q.tube("t", "FIFOTTL", settings);
  await q.put("t", task);
  return 1;
}

async function leased(
  q: RunningEngine,
  task: Partial<NewTask> = {},
  settings: Partial<TubeSettings> = {},
): Promise<TaskView> {
  await given(q, task, settings);
  return q.takeOne("t");
}

async function buried(q: RunningEngine, task: Partial<NewTask> = {}): Promise<number> {
  await q.bury(await leased(q, task));
  return 1;
}
