import { UsherError } from "../../src/base/errors.ts";
import type {
  KeptLeases,
  Payload,
  QueueChanges,
  QueueStore,
  Recovery,
} from "../../src/queue/repository.ts";

/** A real store behind a line that can be slow, refuse, or break. */
export class UnreliableStore implements QueueStore {
  readonly #store: QueueStore;
  /** How many commits were begun. */
  commits = 0;
  /** And of these, before all was given back. */
  earlyCommits = 0;
  /** How many tasks the largest commit changed or removed. */
  mostChanged = 0;
  /** Turns of the event loop that each commit and read takes beside its work. */
  slowness = 0;
  #underWay = 0;
  /** Of these, what the store itself has been given. */
  #inStore = 0;
  #refusals = 0;
  #keptFirst = 0;
  #payloadRefusals = 0;
  #held: Promise<void> | undefined;
  /** Settles when the last of what was held is done. */
  #lastHeld: Promise<void> = Promise.resolve();
  #answersLost = false;
  #open = false;
  #dead = false;

  constructor(store: QueueStore) {
    this.#store = store;
  }

  /** The next so many commits, but for those first, are refused, and nothing of them is kept. */
  refuseCommits(count = 1, kept = 0): void {
    this.#refusals = count;
    this.#keptFirst = kept;
  }

  /** The next so many reads of payloads are refused. */
  refusePayloads(count = 1): void {
    this.#payloadRefusals = count;
  }

  /**
   * Commits and reads of payloads that begin from now on wait until the answer is called; then they
   * are done one by one, in their order.
   */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  /** Commits are kept from now on, but nobody is told. */
  loseAnswers(): void {
    this.#answersLost = true;
  }

  /** Nothing is kept or answered any more. */
  die(): void {
    this.#dead = true;
  }

  /** Whether something will be answered by itself. */
  get busy(): boolean {
    if (this.#inStore > 0) return true;
    return this.#underWay > 0 && this.#held === undefined && !this.#answersLost;
  }

  commit(changes: QueueChanges): Promise<void> {
    this.commits++;
    this.mostChanged = Math.max(this.mostChanged, changes.updates.length + changes.removes.length);
    if (!this.#open) this.earlyCommits++;
    return this.#overTheLine(() => this.#commit(changes));
  }

  isFull(): boolean {
    return this.#store.isFull();
  }

  payloads(keys: readonly number[]): Promise<Map<number, Payload>> {
    return this.#overTheLine(() => this.#payloads(keys));
  }

  async #commit(changes: QueueChanges): Promise<void> {
    if (this.#keptFirst > 0) this.#keptFirst--;
    else if (this.#refusals > 0) {
      this.#refusals--;
      throw new UsherError("STORAGE_UNAVAILABLE");
    }
    await this.#storing(this.#store.commit(changes));
    if (this.#answersLost) await never;
  }

  async #payloads(keys: readonly number[]): Promise<Map<number, Payload>> {
    if (this.#payloadRefusals > 0) {
      this.#payloadRefusals--;
      throw new UsherError("STORAGE_UNAVAILABLE");
    }
    return this.#storing(this.#store.payloads(keys));
  }

  async open(recovery: Recovery): Promise<void> {
    await this.#overTheLine(() => this.#store.open(recovery));
    // What was given back may take its time.
    for (let turn = 0; turn < this.slowness; turn++) await new Promise(setImmediate);
    this.#open = true;
  }

  saveLeases(kept: KeptLeases): Promise<void> {
    return this.#store.saveLeases(kept);
  }

  loadLeases(): Promise<KeptLeases> {
    return this.#store.loadLeases();
  }

  async #storing<T>(work: Promise<T>): Promise<T> {
    this.#inStore++;
    try {
      return await work;
    } finally {
      this.#inStore--;
    }
  }

  async #overTheLine<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      for (let turn = 0; turn < this.slowness; turn++) await new Promise(setImmediate);
      if (this.#held !== undefined) return await this.#inTurn(this.#held, work);
      if (this.#dead) await never;
      return await work();
    } finally {
      this.#underWay--;
    }
  }

  async #inTurn<T>(held: Promise<void>, work: () => Promise<T>): Promise<T> {
    const before = this.#lastHeld;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastHeld = promise;
    try {
      await held;
      await before;
      if (this.#dead) await never;
      return await work();
    } finally {
      resolve();
    }
  }
}

const never = new Promise<never>(() => {});
