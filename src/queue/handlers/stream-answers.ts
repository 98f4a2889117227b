import { LinkedList } from "../structures/linked-list.ts";

/** The next request of a stream is read while fewer answers than this are under way or unread. */
const MOST_UNREAD = 256;
/** And while requests that wait for their answers have fewer bytes than this. */
const MOST_BYTES_UNDER_WAY = 16 * 1024 * 1024;

/**
 * The answers of a stream, in the order in which they came up. They are read once, with `for
 * await`. The stream ends when the work it follows is done and every answer was read. After a
 * failure what was begun before is still answered. After the call is gone nothing is.
 */
export class StreamAnswers<T> implements AsyncIterable<T> {
  readonly #messages = new LinkedList<T>();
  readonly #signal: AbortSignal;
  #failure: { readonly error: unknown } | undefined;
  #done = false;
  #underWay = 0;
  #bytesUnderWay = 0;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** The signal is the call's: when it aborts, whoever reads is told at once. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
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
    this.#wakeWriter?.();
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

  /**
   * Starts to make an answer, unless something has failed; resolves when the next may start.
   * `bytes` is what its request keeps in memory meanwhile.
   */
  async answerLater(make: () => Promise<T>, bytes = 0): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#underWay++;
    this.#bytesUnderWay += bytes;
    make()
      .then(
        (answer) => this.push(answer),
        (error) => this.fail(error),
      )
      .finally(() => {
        this.#underWay--;
        this.#bytesUnderWay -= bytes;
        this.#wakeWriter?.();
        this.#wakeReader?.();
      });
    // A client that does not read its answers is not served further.
    while (this.#failure === undefined && this.#isFull()) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  #isFull(): boolean {
    return (
      this.#underWay + this.#messages.size >= MOST_UNREAD ||
      this.#bytesUnderWay >= MOST_BYTES_UNDER_WAY
    );
  }

  /** The answers that nobody has read. Ask for them when the reading has ended. */
  unread(): T[] {
    const unread: T[] = [];
    for (let next = this.#messages.shift(); next !== undefined; next = this.#messages.shift()) {
      unread.push(next);
    }
    return unread;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      if (this.#signal.aborted) throw this.#signal.reason;
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#wakeWriter?.();
        yield message;
        continue;
      }
      if (this.#underWay === 0) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#done) return;
      }
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}
