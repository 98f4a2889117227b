import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { type Calls, createCalls } from "./calls.ts";
import { closed } from "./errors.ts";
import { Producer, type ProducerOptions } from "./producer.ts";
import { authRetries, queueRetries } from "./retries.ts";
import { Transport } from "./transport.ts";
import { Worker, type WorkerOptions } from "./worker.ts";

export interface ClientOptions {
  /**
   * How long a call may take, retries included, in milliseconds; then it fails with
   * DEADLINE_EXCEEDED. A request's own `wait` comes on top. Default 10,000.
   */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * A client of one Usher server: calls of both services, producers and workers, over one
 * connection that is made when it is first needed and again whenever it breaks.
 *
 * Every call that fails rejects with a UsherClientError. Without a connection a call waits for one
 * until its time is over. One whose connection breaks, or whose server asks for a retry, is tried
 * again in its time if the proto says that repeating it is safe.
 */
export class UsherClient implements AsyncDisposable {
  /** Every RPC of QueueService, save the streams of producers and workers. */
  readonly queue: Calls<typeof QueueService>;
  /** Every RPC of AuthService. */
  readonly auth: Calls<typeof AuthService>;
  readonly #transport: Transport;
  readonly #open = new Set<Producer | Worker>();
  #closing: Promise<void> | undefined;

  private constructor(address: string, options: ClientOptions) {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#transport = new Transport(address);
    this.queue = createCalls(QueueService, queueRetries, this.#transport, timeoutMs);
    this.auth = createCalls(AuthService, authRetries, this.#transport, timeoutMs);
  }

  /** Makes a client of the gRPC listener at an address such as `127.0.0.1:50051`. */
  static connect(address: string, options: ClientOptions = {}): UsherClient {
    return new UsherClient(address, options);
  }

  /** A producer; close it, or the client, so that what it holds is sent. Throws CLOSED. */
  producer(options: ProducerOptions = {}): Producer {
    if (this.#closing !== undefined) throw closed("the client");
    const producer = new Producer(this.#transport, options, () => this.#open.delete(producer));
    this.#open.add(producer);
    return producer;
  }

  /**
   * A worker, which starts at once. Throws RangeError for a concurrency or prefetch out of range
   * and for no tubes, CLOSED after close().
   */
  worker(options: WorkerOptions): Worker {
    if (this.#closing !== undefined) throw closed("the client");
    const worker = new Worker(this.#transport, this.queue, options, () =>
      this.#open.delete(worker),
    );
    this.#open.add(worker);
    return worker;
  }

  /** Closes producers and workers in good order, then the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#open].map((one) => one.close()));
    this.#transport.close();
  }
}
