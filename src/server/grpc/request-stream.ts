/** Resolves or rejects one call of `next`. */
interface Waiter<Message> {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/**
 * The messages of one client stream. Each `next` asks the wire for one more message, so a handler
 * that does not read holds the client back through HTTP/2's flow control.
 */
export class RequestReader<Message> implements AsyncIterableIterator<Message, undefined> {
  readonly #requestOne: () => void;
  readonly #decode: (bytes: Buffer) => Message;
  readonly #waiters: Waiter<Message>[] = [];
  #over = false;
  #failure: { readonly error: unknown } | undefined;

  /** `requestOne` makes the wire call `deliver` or `end` once; `decode` may throw. */
  constructor(requestOne: () => void, decode: (bytes: Buffer) => Message) {
    this.#requestOne = requestOne;
    this.#decode = decode;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        const { error } = this.#failure;
        // The error is thrown once. A stream that has failed is over.
        this.#failure = undefined;
        reject(error);
      } else if (this.#over) {
        resolve({ done: true, value: undefined });
      } else {
        this.#waiters.push({ resolve, reject });
        if (this.#waiters.length === 1) this.#requestOne();
      }
    });
  }

  /** The handler wants no more. What the client still sends is dropped. */
  return(): Promise<IteratorResult<Message, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  deliver(bytes: Buffer): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    try {
      waiter.resolve({ done: false, value: this.#decode(bytes) });
    } catch (error) {
      waiter.reject(error);
      this.end();
      return;
    }
    if (this.#waiters.length > 0) this.#requestOne();
  }

  /** The client has half-closed. */
  end(): void {
    this.#over = true;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined });
  }

  /** Fails the stream: the call ended early. Those who wait, or ask next, are told why. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const [first, ...others] = this.#waiters.splice(0);
    if (first === undefined) this.#failure = { error };
    else first.reject(error);
    for (const waiter of others) waiter.resolve({ done: true, value: undefined });
  }
}
