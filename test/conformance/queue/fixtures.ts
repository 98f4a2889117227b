import assert from "node:assert/strict";
import { UsherError } from "../../../src/base/errors.ts";
import {
  type DedupRecord,
  emptyChanges,
  type Marks,
  type NewTaskRecord,
  type Payload,
  type QueueChanges,
  type QueueStore,
  type TaskProgress,
  type TaskRecord,
  type TubeRecord,
  type TubeSettings,
} from "../../../src/queue/repository.ts";

/** When the cases play, in milliseconds. */
export const NOW = 1_700_000_000_000;
export const LARGEST = Number.MAX_SAFE_INTEGER;

/** Texts that stores are known to trim, fold, cut, escape or compare wrongly. */
export const hostileTexts: readonly string[] = [
  "a\0b",
  "\0",
  " leading and trailing ",
  "\t\r\n",
  "Straße",
  "STRASSE",
  "é",
  "e\u0301",
  "\u202eright to left",
  "\uffff\ufeff",
  "𝒜👩‍👩‍👧",
  "'; DROP TABLE tasks; --",
  "%_\\\"'`",
  "$where",
  "a.b",
  "__proto__",
  "constructor",
  "null",
  "x".repeat(256),
  "😀".repeat(64),
];

export const plainSettings: TubeSettings = {
  capacity: 0,
  defaultPriority: 0,
  defaultTtlMs: Infinity,
  defaultTtrMs: Infinity,
  defaultDelayMs: 0,
  maxAttempts: 0,
  retryBackoff: undefined,
  dedupWindowMs: 0,
};

export function tube(number: number, given: Partial<TubeRecord> = {}): TubeRecord {
  return {
    number,
    name: `tube-${number}`,
    kind: "FIFO",
    temporary: false,
    createdAt: NOW,
    settings: plainSettings,
    pausedUntil: 0,
    nextId: 1,
    ...given,
  };
}

export function text(value: string): Payload {
  return { format: "text", value, attributes: undefined };
}

/** A task whose id, in tube 1, is its key. */
export function task(key: number, given: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    key,
    tube: 1,
    id: key,
    createdAt: NOW,
    buried: false,
    readyAt: NOW,
    expiresAt: Infinity,
    ttrMs: Infinity,
    priority: 0,
    attempts: 0,
    reason: "",
    group: "",
    dedupKey: "",
    size: 1,
    payload: text(`task ${key}`),
    ...given,
  };
}

export function progress(key: number, given: Partial<TaskProgress> = {}): TaskProgress {
  return {
    key,
    buried: false,
    readyAt: NOW,
    expiresAt: Infinity,
    attempts: 0,
    reason: "",
    ...given,
  };
}

/** A group commit of what is given and nothing else. */
export function changes(given: Partial<QueueChanges>): QueueChanges {
  return { ...emptyChanges(), ...given };
}

/** What a store gives back at its start. */
export interface Recovered {
  readonly marks: Marks[];
  readonly tubes: TubeRecord[];
  readonly tasks: TaskRecord[];
  readonly dedup: DedupRecord[];
  /** Of what kind each thing was, in the order in which they came. */
  readonly order: string[];
}

export async function recovered(store: QueueStore): Promise<Recovered> {
  const all: Recovered = { marks: [], tubes: [], tasks: [], dedup: [], order: [] };
  await store.open({
    marks: (marks) => {
      all.order.push("marks");
      all.marks.push(marks);
    },
    tube: (record) => {
      all.order.push("tube");
      all.tubes.push(record);
    },
    task: (record) => {
      all.order.push("task");
      all.tasks.push(record);
    },
    dedup: (record) => {
      all.order.push("dedup");
      all.dedup.push(record);
    },
  });
  return all;
}

/** A task as it comes back after a restart: without its payload. */
export function withoutPayload({ payload: _, ...record }: NewTaskRecord): TaskRecord {
  return record;
}

/** Dedup keys come back in no promised order. */
export function sortedKeys(records: readonly DedupRecord[]): DedupRecord[] {
  return [...records].sort((a, b) => a.tube - b.tube || (a.key < b.key ? -1 : 1));
}

/** Expects a commit to be refused as the port says. */
export function assertRefused(commit: Promise<void>): Promise<void> {
  return assert.rejects(
    commit,
    (error) => error instanceof UsherError && error.reason === "STORAGE_UNAVAILABLE",
  );
}
