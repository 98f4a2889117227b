import type { Clock } from "../../base/clock.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Committer } from "./committer.ts";
import type { DedupEntry, Tube } from "./tube.ts";

/** Dedup keys. A key refuses a second put while its task is alive, and until its window is over. */
export class Dedup {
  readonly #clock: Clock;
  readonly #committer: Committer;
  readonly #deadlines: Deadlines;

  constructor(clock: Clock, committer: Committer, deadlines: Deadlines) {
    this.#clock = clock;
    this.#committer = committer;
    this.#deadlines = deadlines;
  }

  /** Notes a key at its put; the commit of the put keeps its window, if the tube has one. */
  note(tube: Tube, key: string, id: number, putAt: number): void {
    const windowMs = tube.settings.dedupWindowMs;
    const until = windowMs === 0 ? 0 : putAt + windowMs;
    const entry = { key, id, until, alarm: undefined, followers: [] };
    tube.dedup.set(key, entry);
    if (until !== 0 && !tube.temporary) {
      this.#committer.changes.dedup.push({ tube: tube.number, key, id, until });
    }
  }

  /** The put of a key is durable. */
  putKept(tube: Tube, key: string): void {
    const entry = tube.dedup.get(key);
    if (entry !== undefined) entry.followers = undefined;
  }

  /** The put of a key was not kept. */
  putFailed(tube: Tube, key: string, error: unknown): void {
    const entry = tube.dedup.get(key);
    tube.dedup.delete(key);
    for (const failed of entry?.followers ?? []) failed(error);
  }

  /** The task of a key is gone; the key stays until its window is over. */
  taskGone(tube: Tube, key: string): void {
    const entry = tube.dedup.get(key);
    if (entry !== undefined && !tube.gone) this.#forgetWhenOver(tube, entry);
  }

  /** A task that the store gave back keeps its key. */
  restoreAlive(tube: Tube, key: string, id: number): void {
    tube.dedup.set(key, { key, id, until: 0, alarm: undefined, followers: undefined });
  }

  /**
   * Restores a key whose window the store kept. The window may be over and its task gone: then the
   * key leaves the store with the next commit.
   */
  restore(tube: Tube, key: string, id: number, until: number): void {
    const known = tube.dedup.get(key);
    // The key may belong to a later task by now.
    if (known !== undefined && known.id !== id) return;
    const entry = { key, id, until, alarm: undefined, followers: undefined };
    if (known === undefined && until <= this.#clock.monotonic()) {
      this.#dropFromStore(tube, entry);
      return;
    }
    tube.dedup.set(key, entry);
    if (known === undefined) this.#forgetWhenOver(tube, entry);
  }

  #forgetWhenOver(tube: Tube, entry: DedupEntry): void {
    if (entry.until > this.#clock.monotonic()) {
      entry.alarm = this.#deadlines.setAlarm(entry.until, () => this.#forget(tube, entry));
    } else {
      this.#forget(tube, entry);
    }
  }

  #forget(tube: Tube, entry: DedupEntry): void {
    tube.dedup.delete(entry.key);
    if (tube.temporary || entry.until === 0) return;
    this.#dropFromStore(tube, entry);
    // If this commit fails, the next start finds the window over and drops the key.
    this.#committer.add({ committed() {}, failed() {} });
  }

  #dropFromStore(tube: Tube, { key }: DedupEntry): void {
    this.#committer.changes.removedDedup.push({ tube: tube.number, key });
  }
}
