import type {
  KeptLeases,
  LeaseRecord,
  QueueChanges,
  Recovery,
  SessionRecord,
  TaskProgress,
  TubeRecord,
} from "../repository.ts";

/**
 * Times at the port. The engine counts on the monotonic clock, and a store keeps wall times, which
 * mean the same after a restart. `offset` is the clock's `wallOffset`. 0 stands for no time, and
 * Infinity for never, on both sides.
 */

/** Changes of the engine as the store keeps them. Almost always nobody has set the wall clock. */
export function changesInWallTime(changes: QueueChanges, offset: number): QueueChanges {
  if (offset === 0) return changes;
  return {
    ...changes,
    tubes: changes.tubes.map((tube) => tubeMoved(tube, offset)),
    inserts: changes.inserts.map((task) => ({
      ...taskMoved(task, offset),
      createdAt: task.createdAt + offset,
    })),
    updates: changes.updates.map((task) => taskMoved(task, offset)),
    dedup: changes.dedup.map((record) => ({ ...record, until: record.until + offset })),
  };
}

/** Gives a recovery what the store has, in the engine's times. */
export function recoveryInEngineTime(recovery: Recovery, offset: number): Recovery {
  if (offset === 0) return recovery;
  return {
    marks: (marks) => recovery.marks(marks),
    tube: (tube) => recovery.tube(tubeMoved(tube, -offset)),
    task: (task) =>
      recovery.task({ ...taskMoved(task, -offset), createdAt: task.createdAt - offset }),
    dedup: (record) => recovery.dedup({ ...record, until: record.until - offset }),
  };
}

/** Leases and sessions of the engine as the store keeps them over a clean stop at `now`. */
export function keptInWallTime(
  { leases, sessions }: EngineLeases,
  now: number,
  offset: number,
): KeptLeases {
  return {
    leases: leases.map((lease) => ({
      ...lease,
      deadline: lease.deadline + offset,
      leftMs: lease.deadline - now,
    })),
    sessions: sessions.map((session) => ({
      ...session,
      expiresAt: session.expiresAt + offset,
      leftMs: session.expiresAt - now,
    })),
  };
}

/**
 * Leases and sessions that a clean stop has kept, at a start at `now`. The time of the stop counts.
 * But nothing lasts longer than what was left of it: that would be a wall clock set back meanwhile.
 */
export function keptInEngineTime(
  { leases, sessions }: KeptLeases,
  now: number,
  offset: number,
): EngineLeases {
  return {
    leases: leases.map(({ leftMs, ...lease }) => ({
      ...lease,
      deadline: Math.min(lease.deadline - offset, now + leftMs),
    })),
    sessions: sessions.map(({ leftMs, ...session }) => ({
      ...session,
      expiresAt: Math.min(session.expiresAt - offset, now + leftMs),
    })),
  };
}

/** Leases and sessions in the engine's times. */
interface EngineLeases {
  readonly leases: readonly Omit<LeaseRecord, "leftMs">[];
  readonly sessions: readonly Omit<SessionRecord, "leftMs">[];
}

function tubeMoved(tube: TubeRecord, by: number): TubeRecord {
  return {
    ...tube,
    createdAt: tube.createdAt + by,
    pausedUntil: timeMoved(tube.pausedUntil, by),
  };
}

function taskMoved<T extends TaskProgress>(task: T, by: number): T {
  return { ...task, readyAt: timeMoved(task.readyAt, by), expiresAt: task.expiresAt + by };
}

function timeMoved(time: number, by: number): number {
  return time === 0 ? 0 : time + by;
}
