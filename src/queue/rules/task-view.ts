import type { Clock } from "../../base/clock.ts";
import type { Payload, QueueStore } from "../repository.ts";
import type { ReadyOrder } from "../structures/ready-order.ts";
import { type State, state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";

/** Of a tube a view tells this. */
export interface ViewedTube {
  readonly name: string;
  readonly order: ReadyOrder;
}

/** A view is made of this. */
export interface ViewParts {
  readonly table: TaskTable;
  readonly clock: Pick<Clock, "wallOffset">;
}

/** A task as callers see it. Times are wall time, ms since the Unix epoch; Infinity is never. */
export interface TaskView {
  readonly tube: string;
  readonly id: number;
  readonly state: State;
  readonly attempt: number;
  /** Empty unless it is the answer to a take. */
  readonly lease: string;
  /** 0: it is not leased. */
  readonly fence: number;
  readonly priority: number;
  readonly group: string;
  readonly dedupKey: string;
  readonly reason: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Infinity: not leased, or until the session ends. */
  readonly leaseDeadline: number;
  /** -Infinity unless it is delayed. */
  readonly readyAt: number;
  readonly ttrMs: number;
  /** Not set where the call does not answer with payloads. */
  payload: Payload | undefined;
}

/** A task as it is now, without lease and payload; `as` names another state to show. */
export function viewOf(
  { table, clock }: ViewParts,
  tube: ViewedTube,
  slot: number,
  as?: State,
): TaskView {
  const offset = clock.wallOffset;
  const shown = as ?? (table.state[slot] as State);
  return {
    tube: tube.name,
    id: table.id[slot] as number,
    state: shown,
    attempt: table.attempts[slot] as number,
    lease: "",
    fence: shown === state.LEASED ? (table.lease[slot]?.fence ?? 0) : 0,
    priority: table.priority[slot] as number,
    group: tube.order.groupName(slot),
    dedupKey: table.dedupKey.get(slot) ?? "",
    reason: table.reason.get(slot) ?? "",
    createdAt: (table.createdAt[slot] as number) + offset,
    expiresAt: (table.expiresAt[slot] as number) + offset,
    leaseDeadline:
      shown === state.LEASED ? (table.lease[slot]?.deadline ?? Infinity) + offset : Infinity,
    readyAt: shown === state.DELAYED ? (table.readyAt[slot] as number) + offset : -Infinity,
    ttrMs: table.ttrMs[slot] as number,
    payload: undefined,
  };
}

/** A task as its taker gets it, payload apart. */
export function leasedView(parts: ViewParts, tube: ViewedTube, slot: number): TaskView {
  const lease = parts.table.lease[slot];
  const view = viewOf(parts, tube, slot);
  return lease === undefined ? view : { ...view, lease: lease.token };
}

/** Where payloads are: in memory, or in the store alone. */
interface PayloadSources {
  readonly table: TaskTable;
  readonly store: QueueStore;
}

/**
 * Adds the payloads to the views of these slots, from memory or from the store. Views of tasks
 * that are gone meanwhile are left out. Rejects with STORAGE_UNAVAILABLE.
 */
export function withPayloads(
  { table, store }: PayloadSources,
  views: TaskView[],
  slots: readonly number[],
): TaskView[] | Promise<TaskView[]> {
  let missing: number[] | undefined;
  for (const [index, slot] of slots.entries()) {
    const payload = table.payload[slot];
    if (payload === undefined) {
      missing ??= [];
      missing.push(index);
    } else {
      (views[index] as TaskView).payload = payload;
    }
  }
  if (missing === undefined) return views;
  return readPayloads(table, store, views, slots, missing);
}

async function readPayloads(
  table: TaskTable,
  store: QueueStore,
  views: TaskView[],
  slots: readonly number[],
  missing: readonly number[],
): Promise<TaskView[]> {
  const keys = missing.map((index) => table.key[slots[index] as number] as number);
  const found = await store.payloads(keys);
  for (const [position, index] of missing.entries()) {
    (views[index] as TaskView).payload = found.get(keys[position] as number);
  }
  return views.filter((view) => view.payload !== undefined);
}
