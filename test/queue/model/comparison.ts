import assert from "node:assert/strict";
import type { TaskView } from "../../../src/queue/rules/task-view.ts";
import { type RunningEngine, stateName } from "../running-engine.ts";
import type { Reference } from "./reference.ts";
import type { ReferenceTask, ReferenceTube } from "./reference-tube.ts";

/** Expects that all that callers can see of the engine is as in the reference. */
export async function compare(reference: Reference, real: RunningEngine): Promise<void> {
  const { tubes } = real.engine.listTubes("", 100);
  assert.deepEqual(
    tubes.map(({ name, kind, temporary, pausedUntil, settings }) => {
      return { name, kind, temporary, pausedUntil, settings };
    }),
    [...reference.tubes.values()]
      .map(({ name, kind, temporary, pausedUntil, settings }) => {
        return { name, kind, temporary, pausedUntil, settings };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  for (const tube of reference.tubes.values()) {
    const { tasks } = await real.engine.listTasks(tube.name, undefined, 0, 1_000);
    assert.deepEqual(tasks.map(seen), tube.tasks.map(expected), `tasks of ${tube.name}`);
    // The reference counts no totals: engine-statistics.test.ts holds them.
    const { totals: _totals, ...now } = real.statistics(tube.name);
    assert.deepEqual(now, statistics(tube, reference.now));
    for (const { answer } of [...tube.takers, ...tube.puts]) answer.waits();
  }
}

/** After a crash: ids of puts that were never answered are learned, and forgotten attempts. */
export async function learn(reference: Reference, real: RunningEngine): Promise<void> {
  for (const tube of reference.tubes.values()) {
    const { tasks } = await real.engine.listTasks(tube.name, undefined, 0, 1_000);
    for (const task of tube.tasks) {
      const view = tasks.find(({ payload }) => payload?.value === task.label);
      assert.ok(view, `task ${task.label} is not lost`);
      if (task.id === 0) {
        assert.ok(view.id > tube.lastId, "an id is never used again");
        tube.lastId = task.id = view.id;
        tube.windows = tube.windows.map((window) => {
          return window.key === task.dedupKey ? { ...window, id: view.id } : window;
        });
      }
      const most = Math.max(task.attempts, task.durableAttempts);
      assert.ok(view.attempt >= task.durableAttempts && view.attempt <= most);
      task.attempts = task.durableAttempts = view.attempt;
    }
  }
}

function seen(view: TaskView): object {
  const { id, attempt, priority, group, dedupKey, reason, createdAt, expiresAt, ttrMs } = view;
  return {
    label: view.payload?.value,
    state: stateName(view),
    readyAt: view.readyAt,
    leaseDeadline: view.leaseDeadline,
    ...{ id, attempt, priority, group, dedupKey, reason, createdAt, expiresAt, ttrMs },
  };
}

function expected(task: ReferenceTask): object {
  const { id, priority, group, dedupKey, reason, createdAt, expiresAt, ttrMs } = task;
  return {
    label: task.label,
    state: task.state,
    readyAt: task.state === "DELAYED" ? task.readyAt : -Infinity,
    leaseDeadline: task.lease?.deadline ?? Infinity,
    attempt: task.attempts,
    ...{ id, priority, group, dedupKey, reason, createdAt, expiresAt, ttrMs },
  };
}

function statistics(tube: ReferenceTube, now: number): object {
  const ready = tube.inState("READY");
  const { calls, done, expired, tasks, takers, puts } = tube;
  return {
    tube: tube.name,
    ready: ready.length,
    leased: tube.inState("LEASED").length,
    buried: tube.inState("BURIED").length,
    delayed: tube.inState("DELAYED").length,
    total: tasks.length,
    calls,
    done,
    expired,
    oldestReadyAgeMs: ready[0] === undefined ? undefined : now - ready[0].createdAt,
    waitingTakers: takers.length,
    waitingPuts: puts.length,
  };
}
