/** Messages of a stream, handed over one by one. */
export class Outgoing<T> implements AsyncIterable<T> {
  readonly #messages: T[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(message: T): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      yield* this.#messages.splice(0);
      if (this.#messages.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
