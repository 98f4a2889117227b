import type { ServerHttp2Stream } from "node:http2";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
} from "@grpc/grpc-js";
import { invalid } from "../../base/errors.ts";
import type { Log } from "../../logging/log.ts";
import { answerLost } from "../../wire/lost-answer.ts";
import { internalError, toConnectError } from "../error-status.ts";
import { closeLingering } from "../lingering-close.ts";
import { undecodable, WHOLE_MESSAGE } from "../request-errors.ts";
import type { Decoder, Encoder } from "../served-service.ts";
import { deadlineOf, GrpcContext } from "./context.ts";
import { asBuffer, type GrpcStatus, toGrpcStatus, toMetadata } from "./metadata.ts";
import { RequestReader } from "./request-stream.ts";
import { translateStatus } from "./status.ts";

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** One RPC as it is served. */
export interface GrpcMethod {
  readonly desc: DescMethod;
  /** Undefined where the service does not implement it. */
  readonly handler: ((request: unknown, context: GrpcContext) => unknown) | undefined;
  /** Tried first on every answer. */
  readonly encoder: Encoder | undefined;
  /** Tried first on every request. */
  readonly decoder: Decoder | undefined;
  readonly streamsIn: boolean;
  readonly streamsOut: boolean;
}

/** What the calls of one listener share. */
export interface GrpcCalls {
  readonly running: Set<GrpcCall>;
  readonly maxRequestBytes: number;
  readonly log: Log;
}

/** A handler is held back while answers of its stream with more bytes than this wait to be sent. */
const HIGH_WATER = 64 * 1024;

const ok: GrpcStatus = { code: 0, details: "OK", metadata: null };

/**
 * One call, from grpc-js to the handler and back. It stands in the place of an interceptor and
 * passes nothing on: grpc-js's own handling, with an object stream for each call, is left out. That
 * makes a message cheaper, and one place knows whether a call is over. No exception leaves this
 * class: in a callback of grpc-js it would end the process.
 */
export class GrpcCall extends ServerInterceptingCall implements Listener {
  readonly #wire: ServerInterceptingCallInterface;
  readonly #sendStatus: ServerInterceptingCallInterface["sendStatus"];
  readonly #method: GrpcMethod;
  readonly #calls: GrpcCalls;
  #context: GrpcContext | undefined;
  #over = false;
  /** The request, where there is one alone. */
  #body: Buffer | undefined;
  /** The requests, where the client streams. */
  #reader: RequestReader<unknown> | undefined;
  /** The answers, where the server streams. */
  #answers: AsyncIterator<unknown> | undefined;
  #headersSent = false;
  #unsent = 0;
  #resume: (() => void) | undefined;

  constructor(wire: ServerInterceptingCallInterface, method: GrpcMethod, calls: GrpcCalls) {
    super(wire);
    this.#wire = wire;
    this.#method = method;
    this.#calls = calls;
    // grpc-js ends calls by itself: at their deadline, and when a message is too large or cannot be
    // unpacked. It calls this method then. There is no other way to learn of it in time.
    this.#sendStatus = wire.sendStatus;
    wire.sendStatus = (status) => this.#endedByWire(status);
  }

  /** grpc-js calls this with its own handling of the call, which is not wanted here. */
  override start(): void {
    this.#wire.start(this);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#calls.running.add(this);
    this.#context = new GrpcContext(this.#method.desc, this.#wire, metadata);
    if (this.#method.handler === undefined) {
      const { parent, name } = this.#method.desc;
      const message = `${parent.typeName}.${name} is not implemented`;
      this.fail(new ConnectError(message, Code.Unimplemented));
    } else if (this.#method.streamsIn) {
      this.#reader = new RequestReader(
        () => this.#wire.startRead(),
        (bytes) => this.#decode(bytes),
      );
      this.#invoke(this.#reader);
    } else {
      this.#wire.startRead();
    }
  }

  onReceiveMessage(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#reader !== undefined) {
      this.#reader.deliver(bytes);
    } else if (this.#body === undefined) {
      this.#body = bytes;
      this.#wire.startRead();
    } else {
      this.fail(invalid(WHOLE_MESSAGE, "sent twice, in a call that takes one"));
    }
  }

  onReceiveHalfClose(): void {
    if (this.#over) return;
    if (this.#reader !== undefined) {
      // A connection that breaks looks like a half-close at first. One turn later the difference is
      // known.
      setImmediate(() => this.#reader?.end());
      return;
    }
    if (this.#body === undefined) {
      this.fail(invalid(WHOLE_MESSAGE, "missing or incomplete"));
      return;
    }
    let request: unknown;
    try {
      request = this.#decode(this.#body);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#invoke(request);
  }

  /** grpc-js calls this once for every call, also for one that has ended well. */
  onCancel(): void {
    if (!this.#over) this.#end(new ConnectError("the caller has gone", Code.Canceled));
    const stream = this.#reader === undefined ? undefined : http2StreamOf(this.#wire);
    if (stream !== undefined && !stream.closed) closeLingering(stream);
  }

  /** Ends the call with an error, if it is not over. */
  fail(error: unknown): void {
    if (this.#over) return;
    // The guard has already made the error fit for the caller.
    const shown = error instanceof ConnectError ? error : toConnectError(error);
    let status: GrpcStatus;
    try {
      this.#sendHeaders();
      status = toGrpcStatus(shown, this.#context?.touchedTrailer);
    } catch (cause) {
      this.#logBadAnswer(cause);
      status = { code: Code.Internal, details: "internal error", metadata: null };
    }
    this.#sendStatus.call(this.#wire, status);
    this.#end(error);
  }

  #endedByWire(status: Parameters<ServerInterceptingCallInterface["sendStatus"]>[0]): void {
    if (!this.#over) {
      const late = Number(status.code) === Code.DeadlineExceeded;
      if (late && deadlineOf(this.#wire) === undefined) return;
      this.fail(translateStatus(status, this.#calls.maxRequestBytes));
      return;
    }
    this.#sendStatus.call(this.#wire, status);
  }

  #decode(bytes: Buffer): unknown {
    const decoded = this.#method.decoder?.(bytes);
    if (decoded !== undefined) return decoded;
    try {
      // It is no Buffer, so that `bytes` fields have the same type as on the other listener.
      const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return fromBinary(this.#method.desc.input, plain);
    } catch (error) {
      throw undecodable(error);
    }
  }

  #encode(message: unknown): Buffer {
    const { desc, encoder } = this.#method;
    const encoded = encoder?.(message);
    if (encoded !== undefined) return asBuffer(encoded);
    const { output } = desc;
    return asBuffer(toBinary(output, create(output, message as MessageInitShape<DescMessage>)));
  }

  #invoke(input: unknown): void {
    const { handler, streamsOut } = this.#method;
    const context = this.#context;
    if (handler === undefined || context === undefined) return;
    try {
      const answer = handler(input, context);
      if (streamsOut) {
        void this.#sendAll(answer as AsyncIterable<unknown>);
      } else if (answer instanceof Promise) {
        answer.then(
          (message) => this.#sendOne(message),
          (error) => this.fail(error),
        );
      } else {
        this.#sendOne(answer);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #sendOne(message: unknown): void {
    const bytes = this.#over ? undefined : this.#tryEncode(message);
    if (bytes === undefined) {
      answerLost(this.#context?.touchedValues);
      return;
    }
    this.#wire.sendMessage(bytes, () => {});
    this.#sendOk();
    this.#undoIfLost();
  }

  /** If the caller goes before the answer has left, does what the handler left for this case. */
  #undoIfLost(): void {
    const values = this.#context?.touchedValues;
    if (values === undefined) return;
    const stream = http2StreamOf(this.#wire);
    stream?.once("close", () => {
      if (!stream.writableFinished) answerLost(values);
    });
  }

  async #sendAll(stream: AsyncIterable<unknown>): Promise<void> {
    try {
      const answers = stream[Symbol.asyncIterator]();
      this.#answers = answers;
      for (;;) {
        const next = await answers.next();
        if (this.#over) return;
        if (next.done) break;
        const bytes = this.#tryEncode(next.value);
        if (bytes === undefined) return;
        this.#unsent += bytes.length;
        this.#wire.sendMessage(bytes, () => this.#sent(bytes.length));
        if (this.#unsent >= HIGH_WATER) {
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        }
        if (this.#over) return;
      }
      this.#sendOk();
    } catch (error) {
      this.fail(error);
    }
  }

  #sent(bytes: number): void {
    this.#unsent -= bytes;
    if (this.#unsent < HIGH_WATER) this.#release();
  }

  #release(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** The message for the wire, after the headers; fails the call if either cannot be sent. */
  #tryEncode(message: unknown): Buffer | undefined {
    try {
      this.#sendHeaders();
      return this.#encode(message);
    } catch (error) {
      this.#logBadAnswer(error);
      this.fail(internalError(error));
      return undefined;
    }
  }

  #sendHeaders(): void {
    const headers = this.#context?.touchedHeader;
    if (headers === undefined || this.#headersSent) return;
    this.#headersSent = true;
    this.#wire.sendMetadata(toMetadata(headers));
  }

  #sendOk(): void {
    const trailers = this.#context?.touchedTrailer;
    const status = trailers === undefined ? ok : { ...ok, metadata: toMetadata(trailers) };
    this.#sendStatus.call(this.#wire, status);
    this.#end();
  }

  /** Ends the call. Nothing is sent any more, those who wait are told, and the handler ends. */
  #end(reason?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#calls.running.delete(this);
    this.#context?.end(reason);
    if (reason === undefined) {
      this.#reader?.end();
      return;
    }
    this.#reader?.fail(reason);
    this.#release();
    if (this.#answers !== undefined) void finish(this.#answers);
  }

  #logBadAnswer(error: unknown): void {
    const { parent, name } = this.#method.desc;
    const rpc = `${parent.typeName}/${name}`;
    this.#calls.log.error({ rpc, err: error }, "an answer could not be sent");
  }
}

/** grpc-js does not show its stream, and it reports the end of a call before all of it is sent. */
function http2StreamOf(wire: ServerInterceptingCallInterface): ServerHttp2Stream | undefined {
  return (wire as { readonly stream?: ServerHttp2Stream }).stream;
}

/** Lets a handler's `finally` blocks run. One that waits for something sees its signal first. */
async function finish(answers: AsyncIterator<unknown>): Promise<void> {
  try {
    await answers.return?.();
  } catch {
    // The call is over. Nobody is left to hear what its handler throws now.
  }
}
