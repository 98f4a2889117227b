/** The tasks of a load that are put and not acked: holds producers back, and tells the end. */
export class Backlog {
  readonly #most: number;
  #open = 0;
  #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether nothing is left to take or ack. */
  get isEmpty(): boolean {
    return this.#open === 0;
  }

  /** Resolves when so many more may be put, and counts them as put. */
  async reserve(count: number): Promise<void> {
    while (this.#open + count > this.#most) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#open += count;
  }

  /** So many are acked. */
  release(count: number): void {
    this.#open -= count;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
