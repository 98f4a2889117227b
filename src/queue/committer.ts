import { emptyChanges, type QueueChanges, type QueueStore } from "./repository.ts";

/** What waits for a commit. Both run synchronously, in the order in which they were added. */
export interface Pending {
  committed(): void;
  /** Nothing of the commit was kept. */
  failed(error: unknown): void;
}

interface CommitterEvents {
  /** Nothing of a commit was kept; those who waited for it are told next. */
  failed(): void;
  /** After each commit, when everything that waited for it has been told. */
  afterwards(): void;
}

/**
 * Group commit: what comes while one commit is under way, or in the same turn of the event loop,
 * goes into the next, one transaction for all of it.
 */
export class Committer {
  readonly #store: QueueStore;
  readonly #on: CommitterEvents;
  /** What the next commit holds; add to it freely, and say so with `add`. */
  changes: QueueChanges = emptyChanges();
  #pending: Pending[] = [];
  #running = false;

  constructor(store: QueueStore, on: CommitterEvents) {
    this.#store = store;
    this.#on = on;
  }

  /** The pending is told when the changes added so far are durable. */
  add(pending: Pending): void {
    this.#pending.push(pending);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#run());
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const changes = this.changes;
      const pending = this.#pending;
      this.changes = emptyChanges();
      this.#pending = [];
      let failure: { error: unknown } | undefined;
      try {
        if (!isEmpty(changes)) await this.#store.commit(changes);
      } catch (error) {
        failure = { error };
      }
      if (failure) this.#on.failed();
      for (const each of pending) {
        if (failure) each.failed(failure.error);
        else each.committed();
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
