import type { Clock } from "../../base/clock.ts";
import { emptyChanges, type QueueChanges, type QueueStore } from "../repository.ts";
import type { Tube } from "./tube.ts";
import { changesInWallTime } from "./wall-times.ts";

/**
 * Something that waits for a commit. Commits are told in the order of adding, failures in reverse.
 */
export interface Pending {
  committed(): void;
  /** Nothing of the commit was kept. */
  failed(error: unknown): void;
}

interface CommitterEvents {
  /**
   * The store kept nothing of a commit, and nothing of these tubes. Those who waited are told next.
   */
  failed(tubes: Iterable<Tube>): void;
  /** Called after each commit, when everything that waited for it has been told. */
  afterwards(): void;
}

/**
 * Group commit. Changes that come in the same turn of the event loop, or while a commit is under
 * way, go into the next commit together, as one transaction.
 */
export class Committer {
  readonly #store: QueueStore;
  readonly #clock: Clock;
  readonly #on: CommitterEvents;
  /** What the next commit holds. Whoever adds to it must also call `add`. */
  changes: QueueChanges = emptyChanges();
  #tubes = new Set<Tube>();
  #pending: Pending[] = [];
  #running = false;

  constructor(store: QueueStore, clock: Clock, on: CommitterEvents) {
    this.#store = store;
    this.#clock = clock;
    this.#on = on;
  }

  /** How many wait for the next commit. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** The next commit keeps the tube as it is when that commit begins. */
  keepTube(tube: Tube): void {
    this.#tubes.add(tube);
  }

  /** The pending is told when the changes added so far are durable. */
  add(pending: Pending): void {
    this.#pending.push(pending);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#run());
  }

  /** Resolves when the changes gathered so far are durable; rejects if they are not. */
  commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.add({ committed: resolve, failed: reject });
    });
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const changes = this.changes;
      const tubes = this.#tubes;
      const pending = this.#pending;
      this.changes = emptyChanges();
      this.#tubes = new Set();
      this.#pending = [];
      for (const tube of tubes) if (!tube.gone) changes.tubes.push(tube.record());
      let failure: { error: unknown } | undefined;
      try {
        if (!isEmpty(changes)) {
          await this.#store.commit(changesInWallTime(changes, this.#clock.wallOffset));
        }
      } catch (error) {
        failure = { error };
      }
      if (failure === undefined) {
        for (const each of pending) each.committed();
      } else {
        this.#on.failed(tubes);
        // The last change is undone first: it may build on those before it.
        for (const each of pending.reverse()) each.failed(failure.error);
      }
      this.#on.afterwards();
      // Lets calls that arrived meanwhile join the next commit.
      if (this.#pending.length > 0) await new Promise(setImmediate);
    }
    this.#running = false;
  }
}

function isEmpty(changes: QueueChanges): boolean {
  return (
    changes.inserts.length === 0 &&
    changes.removes.length === 0 &&
    changes.updates.length === 0 &&
    changes.tubes.length === 0 &&
    changes.removedTubes.length === 0 &&
    changes.dedup.length === 0 &&
    changes.removedDedup.length === 0 &&
    changes.marks === undefined
  );
}
