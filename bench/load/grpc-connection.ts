import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";

/** What may be under way to us; HTTP/2's own 64 KiB stops a server at every turn. */
const STREAM_WINDOW = 8 * 1024 * 1024;
const CONNECTION_WINDOW = 64 * 1024 * 1024;
/** Thousands of streams that wait take more than the 10 that are the default. */
const MOST_MEGABYTES = 1_000;

/** One answer of a call: the message and the status, 0 where it went well. */
export interface Answer {
  readonly message: Buffer;
  readonly status: number;
}

/**
 * gRPC over node:http2 with messages that are bytes already: what a client library would do for
 * its user is not what is measured.
 */
export class GrpcConnection {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static async open(address: string): Promise<GrpcConnection> {
    const session = connect(`http://${address}`, {
      settings: { initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: MOST_MEGABYTES,
    });
    await once(session, "connect");
    session.setLocalWindowSize(CONNECTION_WINDOW);
    return new GrpcConnection(session);
  }

  /** One call; rejects if the connection breaks. */
  unary(path: string, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let message: Buffer = Buffer.alloc(0);
      const call = this.stream(path, (received) => {
        message = Buffer.from(received);
      });
      call.over.then(({ status }) => resolve({ message, status }), reject);
      call.send(body);
      call.halfClose();
    });
  }

  /** A stream; `received` is called with the bytes of each message. */
  stream(path: string, received: (message: Buffer) => void): GrpcStream {
    const stream = this.#session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
    });
    return new GrpcStream(stream, received);
  }

  close(): void {
    this.#session.destroy();
  }
}

export class GrpcStream {
  readonly #stream: ClientHttp2Stream;
  readonly #received: (message: Buffer) => void;
  #chunks: Buffer[] = [];
  #have = 0;
  /** Bytes until the next message is whole. */
  #need = 5;
  #status = Number.NaN;
  #message = "";
  /** Resolves with the status when the server has ended it. */
  readonly over: Promise<{ status: number; details: string }>;

  constructor(stream: ClientHttp2Stream, received: (message: Buffer) => void) {
    this.#stream = stream;
    this.#received = received;
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
    stream.on("response", (headers) => this.#readStatus(headers));
    stream.on("trailers", (trailers: IncomingHttpHeaders) => this.#readStatus(trailers));
    this.over = new Promise((resolve, reject) => {
      stream.once("error", reject);
      stream.once("close", () => resolve({ status: this.#status, details: this.#message }));
    });
    // A load that ends does not wait for it.
    this.over.catch(() => {});
  }

  /** Sends one message. */
  send(message: Buffer): void {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    this.#stream.cork();
    this.#stream.write(prefix);
    this.#stream.write(message);
    this.#stream.uncork();
  }

  halfClose(): void {
    this.#stream.end();
  }

  #readStatus(headers: IncomingHttpHeaders): void {
    const status = headers["grpc-status"];
    if (status === undefined) return;
    this.#status = Number(status);
    this.#message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    this.#need = 5;
    while (bytes.length - at >= 5) {
      const end = at + 5 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) {
        this.#need = end - at;
        break;
      }
      this.#received(bytes.subarray(at + 5, end));
      at = end;
    }
    this.#chunks = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#have = bytes.length - at;
  }
}
