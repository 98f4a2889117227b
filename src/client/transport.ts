import {
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { closed, fromServiceError, type UsherClientError } from "./errors.ts";

/** A stream of both directions. */
export interface OpenStream<Input extends DescMessage> {
  send(message: MessageShape<Input>): void;
  /** Nothing more is sent; the server answers what is under way and ends the stream. */
  halfClose(): void;
  /** Gives the stream up. */
  cancel(): void;
  /**
   * Resolves when the stream is over, with the error that broke it. Undefined: it ended as wanted.
   */
  readonly over: Promise<UsherClientError | undefined>;
}

export interface CallLimits {
  /** Milliseconds since the Unix epoch; Infinity: none. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** While calls are under way a connection is asked this often whether it lives. */
const KEEPALIVE_TIME_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const LONGEST_RECONNECT_MS = 2_000;
/**
 * What a server may send before it was read. HTTP/2's default of 64 KiB would stop it at every
 * turn.
 */
const FLOW_CONTROL_WINDOW = 4 * 1024 * 1024;

/** gRPC over one HTTP/2 connection, with generated messages and this library's errors. */
export class Transport {
  readonly #client: Client;
  #closed = false;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_channelz": 0,
      // It has a connection of its own, so that clients do not hold each other up.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": LONGEST_RECONNECT_MS,
      "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW,
      // The server decides how large a task may be, and the client must be able to read it.
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
  }

  unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    { deadline, signal }: CallLimits,
  ): Promise<MessageShape<Output>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw closed("the client");
      signal?.throwIfAborted();
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        request,
        patient(),
        { deadline },
        (error, answer) => {
          signal?.removeEventListener("abort", cancel);
          if (signal?.aborted) reject(signal.reason);
          else if (error !== null) reject(fromServiceError(error));
          else resolve(answer as MessageShape<Output>);
        },
      );
      const cancel = (): void => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  async *serverStream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    { deadline, signal }: CallLimits,
  ): AsyncGenerator<MessageShape<Output>, void, undefined> {
    if (this.#closed) throw closed("the client");
    signal?.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      request,
      patient(),
      { deadline },
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      for await (const message of call) yield message as MessageShape<Output>;
    } catch (error) {
      signal?.throwIfAborted();
      throw fromServiceError(error as ServiceError);
    } finally {
      signal?.removeEventListener("abort", cancel);
      // Otherwise a reader that leaves early would leave the call open.
      call.on("error", () => {});
      cancel();
    }
  }

  openStream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodBiDiStreaming<Input, Output>,
    received: (message: MessageShape<Output>) => void,
  ): OpenStream<Input> {
    const call = this.#client.makeBidiStreamRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      new Metadata(),
    );
    let cancelled = false;
    const over = new Promise<UsherClientError | undefined>((resolve) => {
      call.on("error", (error: ServiceError) => {
        resolve(cancelled ? undefined : fromServiceError(error));
      });
      call.on("end", () => resolve(undefined));
    });
    call.on("data", received);
    return {
      send: (message) => void call.write(message),
      halfClose: () => void call.end(),
      cancel() {
        cancelled = true;
        call.cancel();
      },
      over,
    };
  }

  /** Resolves when the server is connected; tries for as long as it takes. Rejects with CLOSED. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(Infinity, (error) => {
        if (error === undefined) resolve();
        else reject(closed("the client"));
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }
}

/** Options of a call that waits for a connection until its deadline. */
function patient(): Metadata {
  return new Metadata({ waitForReady: true });
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<Desc extends DescMessage>(desc: Desc) {
  return (message: MessageShape<Desc>): Buffer => {
    const bytes = toBinary(desc, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function decoder<Desc extends DescMessage>(desc: Desc) {
  // It is no Buffer: `bytes` fields are views of the message, and users are promised Uint8Array.
  return (bytes: Buffer): MessageShape<Desc> =>
    fromBinary(desc, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
