import type { Marks } from "../repository.ts";
import type { Committer } from "./committer.ts";
import type { Tube } from "./tube.ts";

/** This many numbers are reserved in the store at a time, ahead of their use. */
const KEY_BLOCK = 65_536;
const ID_BLOCK = 1_024;
const FENCE_BLOCK = 2 ** 30;

/**
 * Hands out numbers that are never used again, not even after a crash. The store keeps a mark
 * beyond which no number was used. The commit that needs a higher mark writes it.
 */
export class NumberReservation {
  readonly #committer: Committer;
  #next = { nextTube: 1, nextKey: 1, nextFence: 1 };
  #reserved: Marks = { ...this.#next };

  constructor(committer: Committer) {
    this.#committer = committer;
  }

  /** Goes on from what the store knows. */
  restore(marks: Marks): void {
    this.#next = { ...marks };
    this.#reserved = marks;
  }

  tube(): number {
    const number = this.#next.nextTube++;
    this.reserve();
    return number;
  }

  key(): number {
    const key = this.#next.nextKey++;
    if (this.#next.nextKey > this.#reserved.nextKey) this.reserve();
    return key;
  }

  id(tube: Tube): number {
    const id = tube.nextId++;
    if (tube.nextId > tube.reservedId) {
      tube.reservedId = tube.nextId + ID_BLOCK;
      this.#committer.keepTube(tube);
    }
    return id;
  }

  fence(): number {
    const fence = this.#next.nextFence++;
    // A take does not wait for a commit, so the next block is reserved long before it is used.
    if (this.#next.nextFence > this.#reserved.nextFence - FENCE_BLOCK / 2) {
      this.reserve();
      this.#committer.add({ committed() {}, failed() {} });
    }
    return fence;
  }

  /**
   * Reserves a block of each with the next commit. Call it again where the last commit was not
   * kept.
   */
  reserve(): void {
    this.#reserved = {
      nextTube: this.#next.nextTube,
      nextKey: this.#next.nextKey + KEY_BLOCK,
      nextFence: this.#next.nextFence + FENCE_BLOCK,
    };
    this.#committer.changes.marks = this.#reserved;
  }

  /** Gives back with the next commit what was reserved and not used. For a clean stop. */
  giveBack(tubes: Iterable<Tube>): void {
    this.#committer.changes.marks = { ...this.#next };
    for (const tube of tubes) {
      if (tube.reservedId === tube.nextId) continue;
      tube.reservedId = tube.nextId;
      this.#committer.keepTube(tube);
    }
  }
}
