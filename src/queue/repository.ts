/**
 * The port of QueueService to a database. The engine keeps every rule and the whole order in
 * memory; a store keeps what must survive and gives it back. Times are wall time, in milliseconds
 * since the Unix epoch; `Infinity` means never. Every obligation here has a case of the same words in
 * test/conformance/queue/.
 */

/** A task's content, returned as it was put. `json` is the text of one JSON value. */
export interface Payload {
  readonly format: "data" | "text" | "json";
  readonly value: Uint8Array | string;
  readonly attributes: Readonly<Record<string, string>> | undefined;
}

export const tubeKinds = ["FIFO", "FIFOTTL", "LIMFIFOTTL", "UTUBE", "UTUBETTL"] as const;
export type TubeKind = (typeof tubeKinds)[number];

export interface RetryBackoff {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly multiplier: number;
}

/** What an operator may change of a tube. */
export interface TubeSettings {
  /** 0: no limit. */
  readonly capacity: number;
  readonly defaultPriority: number;
  /** Infinity: tasks do not expire. */
  readonly defaultTtlMs: number;
  /** Infinity: no ttr of its own; a lease ends as the engine's defaults say. */
  readonly defaultTtrMs: number;
  readonly defaultDelayMs: number;
  /** 0: no limit. */
  readonly maxAttempts: number;
  readonly retryBackoff: RetryBackoff | undefined;
  /** 0: a key counts only while its task is alive. */
  readonly dedupWindowMs: number;
}

export interface TubeRecord {
  /** The store's number of the tube. No other tube ever gets it. */
  readonly number: number;
  readonly name: string;
  readonly kind: TubeKind;
  /** Its tasks are never handed to the store. */
  readonly temporary: boolean;
  readonly createdAt: number;
  readonly settings: TubeSettings;
  /** 0: not paused; Infinity: until resumed. */
  readonly pausedUntil: number;
  /** Ids below this one may have been used. */
  readonly nextId: number;
}

/** The part of a task that changes after its put. */
export interface TaskProgress {
  /** The store's number of the task: unique in the store, growing with every put. */
  readonly key: number;
  readonly buried: boolean;
  /** When its delay is over; 0 where it has none. */
  readonly readyAt: number;
  readonly expiresAt: number;
  readonly attempts: number;
  /** Why it was last released or buried; empty if there is no reason. */
  readonly reason: string;
}

/** A task without its payload, as it comes back after a restart. */
export interface TaskRecord extends TaskProgress {
  readonly tube: number;
  readonly id: number;
  readonly createdAt: number;
  readonly priority: number;
  readonly ttrMs: number;
  /** Empty: none. */
  readonly group: string;
  /** Empty: none. */
  readonly dedupKey: string;
  /** Bytes that payload and attributes take in an answer. */
  readonly size: number;
}

export interface NewTaskRecord extends TaskRecord {
  readonly payload: Payload;
}

/** A dedup key that outlives its task until its window is over. */
export interface DedupRecord {
  readonly tube: number;
  readonly key: string;
  readonly id: number;
  readonly until: number;
}

/** Counters that must never go back. Each is the first value that was not yet reserved. */
export interface Marks {
  readonly nextTube: number;
  readonly nextKey: number;
  readonly nextFence: number;
}

/** One group commit. Empty parts are empty arrays. */
export interface QueueChanges {
  /** Made, or changed where the number is known. */
  readonly tubes: TubeRecord[];
  readonly removedTubes: number[];
  readonly inserts: NewTaskRecord[];
  readonly updates: TaskProgress[];
  /** Keys of tasks; one that is not there is passed over. */
  readonly removes: number[];
  /** How large the removed tasks are together. */
  removedBytes: number;
  readonly dedup: DedupRecord[];
  readonly removedDedup: Pick<DedupRecord, "tube" | "key">[];
  marks: Marks | undefined;
}

/** A lease kept over a clean restart. */
export interface LeaseRecord {
  readonly token: string;
  readonly tube: number;
  readonly id: number;
  readonly fence: number;
  readonly attempts: number;
  readonly deadline: number;
  /** How much of it was left at the stop; Infinity: it has no end, or that is not known. */
  readonly leftMs: number;
  /** Empty: none. */
  readonly session: string;
}

export interface SessionRecord {
  readonly id: string;
  readonly ttlMs: number;
  readonly expiresAt: number;
  /** How much of it was left at the stop; Infinity: that is not known. */
  readonly leftMs: number;
}

export interface KeptLeases {
  readonly leases: readonly LeaseRecord[];
  readonly sessions: readonly SessionRecord[];
}

/** What is handed back at the start, in this order. */
export interface Recovery {
  marks(marks: Marks): void;
  tube(tube: TubeRecord): void;
  /** In put order. */
  task(task: TaskRecord): void;
  dedup(record: DedupRecord): void;
}

export interface QueueStore {
  /** Gives back all that was committed: marks, tubes, then tasks in put order, then dedup keys. */
  open(recovery: Recovery): Promise<void>;
  /**
   * Takes one group commit: all or none of it, durable when the promise resolves. Inserts come
   * first, then updates in their order, then removals. A dedup key removed and noted again in one
   * commit is there. A removed tube takes its dedup keys with it; its tasks are removed by their
   * keys. A name or a key that another has is refused.
   * Rejects with STORAGE_UNAVAILABLE where the database does not take it, and with STORAGE_FULL
   * where the disk has no room for it: then nothing of it is kept. Rejects with SHARD_UNAVAILABLE where another instance has taken the shard over, or where
   * it cannot be known whether the commit was kept: the engine is over then, and whoever opens the
   * shard next finds all of the commit or none.
   */
  commit(changes: QueueChanges): Promise<void>;
  /**
   * Whether the disk is full. What room is left is for commits that remove something: the engine
   * refuses puts with STORAGE_FULL meanwhile.
   */
  isFull(): boolean;
  /** The payloads of tasks by their keys; a key that is not there is left out. */
  payloads(keys: readonly number[]): Promise<Map<number, Payload>>;
  /** Keeps leases and sessions at a clean stop, in place of any kept before. */
  saveLeases(kept: KeptLeases): Promise<void>;
  /** Gives back what the last clean stop kept, once: a second call gives nothing. */
  loadLeases(): Promise<KeptLeases>;
}

export function emptyChanges(): QueueChanges {
  return {
    tubes: [],
    removedTubes: [],
    inserts: [],
    updates: [],
    removes: [],
    removedBytes: 0,
    dedup: [],
    removedDedup: [],
    marks: undefined,
  };
}
