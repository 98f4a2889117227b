/** Answers that may be under way at once before the next request of a stream is read. */
const MOST_UNDER_WAY = 256;

/**
 * What a stream has to say, in the order in which it came up: read with `for await`. It ends when
 * the work it follows is done and every answer is out, and fails with what failed first.
 */
export class Outbox<T> implements AsyncIterable<T> {
  #messages: T[] = [];
  #failure: { error: unknown } | undefined;
  #done = false;
  #underWay = 0;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** The signal is the call's: when it aborts, whoever reads is told at once. */
  constructor(signal: AbortSignal) {
    if (signal.aborted) this.fail(signal.reason);
    else signal.addEventListener("abort", () => this.fail(signal.reason), { once: true });
  }

  push(message: T): void {
    this.#messages.push(message);
    this.#wakeReader?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeReader?.();
  }

  /** Runs the stream's reading side. */
  follow(work: () => Promise<void>): void {
    work().then(
      () => {
        this.#done = true;
        this.#wakeReader?.();
      },
      (error) => this.fail(error),
    );
  }

  /** Starts to make an answer; resolves when the next may be started. */
  async answerLater(make: () => Promise<T>): Promise<void> {
    this.#underWay++;
    make()
      .then(
        (answer) => this.push(answer),
        (error) => this.fail(error),
      )
      .finally(() => {
        this.#underWay--;
        this.#wakeWriter?.();
        this.#wakeReader?.();
      });
    while (this.#underWay >= MOST_UNDER_WAY) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      for (const message of this.#messages.splice(0)) yield message;
      if (this.#messages.length > 0) continue;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#done && this.#underWay === 0) return;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}
