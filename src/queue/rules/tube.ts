import type { UsherError } from "../../base/errors.ts";
import type { TubeKind, TubeRecord, TubeSettings } from "../repository.ts";
import type { Alarm } from "../structures/alarm.ts";
import { Heap } from "../structures/heap.ts";
import type { Lease, LeaseHolder, Session } from "../structures/leases.ts";
import { LinkedList } from "../structures/linked-list.ts";
import { OldestReady } from "../structures/oldest-ready.ts";
import { ReadyOrder } from "../structures/ready-order.ts";
import { TaskIndex } from "../structures/task-index.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { NewTask } from "./new-task.ts";
import { type Features, features } from "./tube-kinds.ts";
import type { Watcher } from "./watching.ts";

/** Someone who waits for a tube's tasks. Takers are served first come, first served. */
export interface Taker {
  /** At least 1 while it is among the tube's takers. */
  readonly wanted: number;
  readonly session: Session | undefined;
  readonly holder: LeaseHolder | undefined;
  /** Hands over leased tasks. The taker leaves the tube's takers, or goes behind the others. */
  accept(tube: Tube, leases: readonly Lease[]): void;
  /** The tube is gone, or the server stops. */
  dismiss(error: UsherError): void;
}

/** A put that waits for room. */
export interface WaitingPut {
  readonly tasks: readonly NewTask[];
  /** There is room now. */
  readonly admit: () => void;
  readonly reject: (error: unknown) => void;
}

/** A key that refuses a second put. */
export interface DedupEntry {
  readonly key: string;
  readonly id: number;
  /** When its window is over. While the task is alive the key counts in any case. */
  readonly until: number;
  alarm: Alarm | undefined;
  /** Duplicates that came while its put was on its way. They are told if it is not kept. */
  followers: ((error: unknown) => void)[] | undefined;
}

export interface CallCounts {
  put: number;
  take: number;
  ack: number;
  release: number;
  bury: number;
  kick: number;
  touch: number;
  delete: number;
}

/** Tasks by what happened to them, since start. */
export interface TaskTotals {
  put: number;
  taken: number;
  acked: number;
  released: number;
  buried: number;
  kicked: number;
  deleted: number;
}

/** One tube in memory. */
export class Tube {
  readonly number: number;
  readonly name: string;
  readonly kind: TubeKind;
  readonly features: Features;
  readonly temporary: boolean;
  readonly createdAt: number;
  settings: TubeSettings;
  /** 0: not paused; Infinity: until resumed. */
  pausedUntil: number;
  pauseAlarm: Alarm | undefined;
  /** True once it is deleted. Whoever still refers to it gets TUBE_NOT_FOUND. */
  gone = false;

  nextId: number;
  /** Ids below this one are reserved in the store. */
  reservedId: number;

  /** Every task, also those whose put is not durable yet. */
  readonly index = new TaskIndex();
  readonly order: ReadyOrder;
  /** Buried tasks in put order. */
  readonly buried: Heap<number>;
  readonly oldest: OldestReady;
  readonly takers = new LinkedList<Taker>();
  readonly puts = new LinkedList<WaitingPut>();
  readonly dedup = new Map<string, DedupEntry>();
  readonly watchers = new Set<Watcher>();
  /** Streams that take from it, also while they want nothing. */
  readonly consumers = new Set<Taker>();

  /** Tasks by state. */
  readonly counts = new Float64Array(6);
  readonly calls: CallCounts = {
    put: 0,
    take: 0,
    ack: 0,
    release: 0,
    bury: 0,
    kick: 0,
    touch: 0,
    delete: 0,
  };
  readonly totals: TaskTotals = {
    put: 0,
    taken: 0,
    acked: 0,
    released: 0,
    buried: 0,
    kicked: 0,
    deleted: 0,
  };
  done = 0;
  expired = 0;

  constructor(record: TubeRecord, table: TaskTable) {
    this.number = record.number;
    this.name = record.name;
    this.kind = record.kind;
    this.features = features[record.kind];
    this.temporary = record.temporary;
    this.createdAt = record.createdAt;
    this.settings = record.settings;
    this.pausedUntil = record.pausedUntil;
    this.nextId = this.reservedId = record.nextId;
    this.order = new ReadyOrder(table);
    this.buried = new Heap({
      before: (a, b) => (table.id[a] as number) < (table.id[b] as number),
      moved: (slot, place) => {
        table.place[slot] = place + 1;
      },
    });
    this.oldest = new OldestReady(this.index, table);
  }

  /** As the store keeps it. */
  record(): TubeRecord {
    const { number, name, kind, temporary, createdAt, settings, pausedUntil } = this;
    const nextId = Math.max(this.reservedId, this.nextId);
    return { number, name, kind, temporary, createdAt, settings, pausedUntil, nextId };
  }

  hasRoomFor(tasks: number): boolean {
    return this.settings.capacity === 0 || this.index.size + tasks <= this.settings.capacity;
  }
}
