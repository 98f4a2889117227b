import { Code, ConnectError } from "@connectrpc/connect";

/** Messages that one stream is still to send, read once, with `for await`. */
export class MessageQueue<T> implements AsyncIterable<T> {
  #messages: T[] = [];
  #over: "ended" | "broken" | undefined;
  #wake: (() => void) | undefined;

  push(message: T): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  /** Ends the stream after the messages that are in it. */
  end(): void {
    this.#over ??= "ended";
    this.#wake?.();
  }

  /** Breaks the stream off. Messages that were not read are dropped. */
  break(): void {
    this.#over = "broken";
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const messages = this.#messages;
      this.#messages = [];
      for (const message of messages) {
        if (this.#over === "broken") break;
        yield message;
      }
      if (this.#over === "broken") throw new ConnectError("the stream was given up", Code.Canceled);
      if (this.#messages.length > 0) continue;
      if (this.#over === "ended") return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
