import { type State, type StateName, state } from "../structures/task-state.ts";

/**
 * The state machine of a task, drawn in docs/queue.md. Every change of a task's state in the
 * engine names its event here; a change that is not in the table is a defect and throws.
 */

const stateNames = Object.keys(state) as StateName[];

type Targets = Partial<Record<StateName, readonly StateName[]>>;

export const transitions = {
  put: { NONE: ["READY", "DELAYED"] },
  delayOver: { DELAYED: ["READY"] },
  take: { READY: ["LEASED"] },
  /** The answer to a take could not be delivered: as if it never was. */
  giveBack: { LEASED: ["READY"] },
  ack: { LEASED: ["DONE"] },
  /** Released, or its ttr or session is over; DONE where its ttl is over too. */
  fail: { LEASED: ["READY", "DELAYED", "BURIED", "DONE"] },
  bury: { LEASED: ["BURIED"], READY: ["BURIED"], DELAYED: ["BURIED"] },
  kick: { BURIED: ["READY"] },
  expire: { READY: ["DONE"], DELAYED: ["DONE"], BURIED: ["DONE"] },
  delete: { READY: ["DONE"], DELAYED: ["DONE"], BURIED: ["DONE"], LEASED: ["DONE"] },
} as const satisfies Record<string, Targets>;

export type TaskEvent = keyof typeof transitions;

/** The same table for the hot path: a bit set of targets by event and state. */
const allowed = Object.fromEntries(
  Object.entries<Targets>(transitions).map(([event, byState]) => [
    event,
    stateNames.map((from) =>
      (byState[from] ?? []).reduce((bits, to) => bits | (1 << state[to]), 0),
    ),
  ]),
) as unknown as Record<TaskEvent, readonly number[]>;

/** Whether the event can happen to a task in this state. */
export function canHappen(event: TaskEvent, from: State): boolean {
  return allowed[event][from] !== 0;
}

/** Throws if the table does not have the change: a defect of the engine. */
export function assertTransition(event: TaskEvent, from: State, to: State): void {
  if (((allowed[event][from] ?? 0) & (1 << to)) === 0) {
    throw new Error(`no transition from ${stateNames[from]} to ${stateNames[to]} on ${event}`);
  }
}
