import type { TubeKind, TubeSettings } from "../../../src/queue/repository.ts";
import type { PutOutcome } from "../../../src/queue/rules/putting.ts";
import type { TaskView } from "../../../src/queue/rules/task-view.ts";
import type { Observed } from "./observed.ts";

const DEFAULT_LEASE_MS = 60_000;

export type Verb = "put" | "take" | "ack" | "release" | "bury" | "kick" | "touch" | "delete";

export interface ReferenceSession {
  readonly id: string;
  readonly ttlMs: number;
  expiresAt: number;
  /** Takes that wait with it. */
  users: number;
}

export interface ReferenceLease {
  /** Empty until the taker has told it. */
  token: string;
  deadline: number;
  readonly session: ReferenceSession | undefined;
  touched: boolean;
}

export interface ReferenceTask {
  /** Its payload, different for every task. */
  readonly label: string;
  /** 0: not known, as its put was never answered. */
  id: number;
  readonly priority: number;
  readonly group: string;
  readonly dedupKey: string;
  readonly createdAt: number;
  readonly ttrMs: number;
  state: "READY" | "LEASED" | "DELAYED" | "BURIED";
  readyAt: number;
  expiresAt: number;
  attempts: number;
  /** What a crash leaves of the attempts at least. */
  durableAttempts: number;
  reason: string;
  /** Of its last take. */
  fence: number;
  lease: ReferenceLease | undefined;
}

/** A task to be put; what is undefined takes the tube's default. */
export interface TaskToPut {
  readonly label: string;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  readonly ttlMs: number | undefined;
  readonly ttrMs: number | undefined;
  readonly group: string;
  readonly dedupKey: string;
}

interface WaitingTake {
  readonly wanted: number;
  readonly until: number;
  readonly session: ReferenceSession | undefined;
  readonly answer: Observed<readonly TaskView[]>;
}

interface WaitingPut {
  readonly tasks: readonly TaskToPut[];
  readonly until: number;
  readonly answer: Observed<PutOutcome>;
}

/** One tube as the contract has it: lists that are searched from end to end. */
export class ReferenceTube {
  readonly name: string;
  readonly kind: TubeKind;
  readonly temporary: boolean;
  settings: TubeSettings;
  pausedUntil = 0;
  /** In put order. */
  tasks: ReferenceTask[] = [];
  takers: WaitingTake[] = [];
  puts: WaitingPut[] = [];
  windows: { readonly key: string; readonly id: number; readonly until: number }[] = [];
  lastId = 0;
  /** The next id is the one after the last: no crash and no refused put has used some up. */
  idsAreNext = true;
  done = 0;
  expired = 0;
  calls = noCalls();

  constructor(name: string, kind: TubeKind, temporary: boolean, settings: TubeSettings) {
    this.name = name;
    this.kind = kind;
    this.temporary = temporary;
    this.settings = settings;
  }

  get timed(): boolean {
    return this.kind !== "FIFO" && this.kind !== "UTUBE";
  }

  inState(state: ReferenceTask["state"]): ReferenceTask[] {
    return this.tasks.filter((task) => task.state === state);
  }

  /** The task whose put made this one a duplicate. */
  firstOf(key: string, now: number): { readonly id: number } | undefined {
    if (key === "") return undefined;
    const alive = this.tasks.find(({ dedupKey }) => dedupKey === key);
    return alive ?? this.windows.find((window) => window.key === key && window.until > now);
  }

  /** Whether there is room for the tasks that are not duplicates. */
  hasRoomFor(tasks: readonly TaskToPut[], now: number): boolean {
    const { capacity } = this.settings;
    return capacity === 0 || this.tasks.length + this.needed(tasks, now) <= capacity;
  }

  needed(tasks: readonly TaskToPut[], now: number): number {
    const fresh = tasks.filter(
      ({ dedupKey }, index) =>
        this.firstOf(dedupKey, now) === undefined &&
        (dedupKey === "" || tasks.findIndex((other) => other.dedupKey === dedupKey) === index),
    );
    return fresh.length;
  }

  add({ label, group, dedupKey, ...asked }: TaskToPut, id: number, now: number): void {
    const { settings } = this;
    const delayMs = asked.delayMs ?? settings.defaultDelayMs;
    const ttlMs = asked.ttlMs ?? settings.defaultTtlMs;
    const ttrMs = asked.ttrMs ?? settings.defaultTtrMs;
    this.tasks.push({
      label,
      id,
      priority: asked.priority ?? settings.defaultPriority,
      group,
      dedupKey,
      createdAt: now,
      ttrMs: ttrMs === Infinity ? ttlMs : ttrMs,
      state: delayMs > 0 ? "DELAYED" : "READY",
      readyAt: now + delayMs,
      expiresAt: now + delayMs + ttlMs,
      attempts: 0,
      durableAttempts: 0,
      reason: "",
      fence: 0,
      lease: undefined,
    });
    if (dedupKey !== "" && settings.dedupWindowMs > 0) {
      this.windows = this.windows.filter(({ key }) => key !== dedupKey);
      this.windows.push({ key: dedupKey, id, until: now + settings.dedupWindowMs });
    }
  }

  remove(task: ReferenceTask): void {
    task.lease = undefined;
    this.tasks = this.tasks.filter((other) => other !== task);
  }

  /** Leases up to so many tasks: of no group two, by priority, then put order. */
  take(wanted: number, session: ReferenceSession | undefined, now: number): ReferenceTask[] {
    const taken: ReferenceTask[] = [];
    while (taken.length < wanted && this.pausedUntil === 0) {
      const busy = this.inState("LEASED").map(({ group }) => group);
      const free = this.inState("READY").filter(
        ({ group }) => group === "" || !busy.includes(group),
      );
      const [next] = free.sort((a, b) => a.priority - b.priority || a.id - b.id);
      if (next === undefined) break;
      const unlimited = session === undefined ? now + DEFAULT_LEASE_MS : Infinity;
      const deadline = next.ttrMs === Infinity ? unlimited : now + next.ttrMs;
      next.state = "LEASED";
      next.attempts++;
      next.lease = { token: "", deadline, session, touched: false };
      taken.push(next);
    }
    return taken;
  }

  /** A lease failed: released by its holder, or over. */
  fail(task: ReferenceTask, delayMs: number | undefined, reason: string, now: number): void {
    task.lease = undefined;
    if (task.expiresAt <= now) {
      this.expire(task);
      return;
    }
    task.reason = reason;
    task.durableAttempts = task.attempts;
    const { maxAttempts, retryBackoff } = this.settings;
    if (maxAttempts > 0 && task.attempts >= maxAttempts) {
      task.state = "BURIED";
      return;
    }
    const backoffMs = retryBackoff
      ? Math.min(
          retryBackoff.maxMs,
          retryBackoff.initialMs * retryBackoff.multiplier ** (task.attempts - 1),
        )
      : 0;
    const waitMs = delayMs ?? backoffMs;
    task.state = waitMs > 0 ? "DELAYED" : "READY";
    if (waitMs > 0) task.readyAt = now + waitMs;
    task.expiresAt += waitMs;
  }

  bury(task: ReferenceTask, reason: string, now: number): void {
    if (task.state === "LEASED" && task.expiresAt <= now) {
      this.expire(task);
      return;
    }
    task.lease = undefined;
    task.state = "BURIED";
    task.reason = reason;
    task.durableAttempts = task.attempts;
  }

  kick(task: ReferenceTask, now: number): void {
    task.state = "READY";
    task.readyAt = Math.min(task.readyAt, now);
    task.attempts = task.durableAttempts = 0;
    task.reason = "";
  }

  expire(task: ReferenceTask): void {
    this.remove(task);
    this.expired++;
  }

  /** What a restart forgets beside leases and sessions. */
  restart(now: number): void {
    this.takers = [];
    this.puts = [];
    this.done = this.expired = 0;
    this.calls = noCalls();
    if (this.temporary) {
      for (const task of this.tasks) this.remove(task);
      this.windows = [];
    }
    for (const task of this.tasks) {
      if (task.state === "DELAYED" && task.readyAt <= now) task.state = "READY";
    }
  }
}

function noCalls(): Record<Verb, number> {
  return { put: 0, take: 0, ack: 0, release: 0, bury: 0, kick: 0, touch: 0, delete: 0 };
}
