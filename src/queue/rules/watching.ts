import type { UsherError } from "../../base/errors.ts";
import type { Payload } from "../repository.ts";
import { type State, state } from "../structures/task-state.ts";
import { type TaskView, type ViewedTube, type ViewParts, viewOf } from "./task-view.ts";

export type Change =
  | "PUT"
  | "TAKEN"
  | "ACKED"
  | "RELEASED"
  | "READY"
  | "BURIED"
  | "KICKED"
  | "EXPIRED"
  | "DELETED"
  | "TRUNCATED";

/** One change of a tube's tasks. TRUNCATED is about the whole tube and has no task. */
export interface TaskChanged {
  readonly change: Change;
  readonly task: TaskView | undefined;
  readonly tube: string;
  readonly at: number;
}

/** At most this many unread events are kept for a watcher. Later ones are only counted. */
const MOST_UNREAD = 1_000;
/** And at most this many bytes of unread payloads. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;

/** Someone who watches a tube and reads at their own pace. */
export class Watcher {
  readonly includePayload: boolean;
  readonly #watchers: Set<Watcher>;
  #unread: TaskChanged[] = [];
  #unreadBytes = 0;
  #missed = 0;
  #wake: (() => void) | undefined;
  #end: { readonly error: UsherError | undefined } | undefined;

  /** It is among the tube's watchers until it ends. */
  constructor(includePayload: boolean, watchers: Set<Watcher>) {
    this.includePayload = includePayload;
    this.#watchers = watchers;
    watchers.add(this);
  }

  offer(event: TaskChanged): void {
    if (this.#unread.length < MOST_UNREAD && this.#unreadBytes < MOST_UNREAD_BYTES) {
      this.#unread.push(event);
      this.#unreadBytes += event.task?.payload?.value.length ?? 0;
    } else {
      this.#missed++;
    }
    this.#wake?.();
  }

  /** Ends the watch. An error, if there is one, is thrown to the reader. */
  end(error?: UsherError): void {
    this.#end ??= { error };
    this.#watchers.delete(this);
    this.#wake?.();
  }

  /**
   * What came since the last call; waits until there is something. After the end: undefined, or the
   * error that it ended with is thrown.
   */
  async next(): Promise<{ events: TaskChanged[]; missed: number } | undefined> {
    while (this.#unread.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#unread.length === 0) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      return undefined;
    }
    const batch = { events: this.#unread, missed: this.#missed };
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#missed = 0;
    return batch;
  }
}

/** The state in which a watcher is shown a task that has just gone. */
const gone: Partial<Record<Change, State>> = {
  ACKED: state.DONE,
  EXPIRED: state.DONE,
  DELETED: state.DONE,
};

interface WatchedTube extends ViewedTube {
  readonly watchers: ReadonlySet<Watcher>;
}

/** Tells those who watch a tube what became of a task at `at`, milliseconds since the Unix epoch. */
export function announce(
  parts: ViewParts,
  tube: WatchedTube,
  slot: number,
  change: Change,
  at: number,
): void {
  const task = viewOf(parts, tube, slot, gone[change]);
  offerAll(tube, { change, task, tube: tube.name, at }, parts.table.payload[slot]);
}

/** Tells those who watch a tube that it was truncated. */
export function announceTruncated(tube: WatchedTube, at: number): void {
  offerAll(tube, { change: "TRUNCATED", task: undefined, tube: tube.name, at }, undefined);
}

function offerAll(tube: WatchedTube, event: TaskChanged, payload: Payload | undefined): void {
  const { task } = event;
  for (const watcher of tube.watchers) {
    watcher.offer(
      task !== undefined && watcher.includePayload
        ? { ...event, task: { ...task, payload } }
        : event,
    );
  }
}
