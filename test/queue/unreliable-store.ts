import { UsherError } from "../../src/errors.ts";
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
  #refusals = 0;
  #payloadRefusals = 0;
  #held: Promise<void> | undefined;
  #answersLost = false;
  #dead = false;

  constructor(store: QueueStore) {
    this.#store = store;
  }

  /** The next so many commits are refused, and nothing of them is kept. */
  refuseCommits(count = 1): void {
    this.#refusals = count;
  }

  /** The next so many reads of payloads are refused. */
  refusePayloads(count = 1): void {
    this.#payloadRefusals = count;
  }

  /** Commits and reads of payloads that begin from now on wait until the answer is called. */
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

  async commit(changes: QueueChanges): Promise<void> {
    this.commits++;
    await this.#line();
    if (this.#refusals > 0) {
      this.#refusals--;
      throw new UsherError("STORAGE_UNAVAILABLE");
    }
    await this.#store.commit(changes);
    if (this.#answersLost) await never;
  }

  async payloads(keys: readonly number[]): Promise<Map<number, Payload>> {
    await this.#line();
    if (this.#payloadRefusals > 0) {
      this.#payloadRefusals--;
      throw new UsherError("STORAGE_UNAVAILABLE");
    }
    return this.#store.payloads(keys);
  }

  open(recovery: Recovery): Promise<void> {
    return this.#store.open(recovery);
  }

  saveLeases(kept: KeptLeases): Promise<void> {
    return this.#store.saveLeases(kept);
  }

  loadLeases(): Promise<KeptLeases> {
    return this.#store.loadLeases();
  }

  async #line(): Promise<void> {
    if (this.#held !== undefined) await this.#held;
    if (this.#dead) await never;
  }
}

const never = new Promise<never>(() => {});
