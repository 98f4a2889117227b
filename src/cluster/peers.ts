import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { UsherError } from "../base/errors.ts";
import { callPeer } from "./peer-call.ts";
import { fromPeer } from "./peer-errors.ts";
import type { InstanceRecord } from "./registry.ts";

/** The header of a call that another instance has forwarded. Such a call is not forwarded again. */
export const FORWARDED = "usher-forwarded";

/** How long a connection to another instance may take. */
const CONNECT_MS = 1_000;
/** What an instance may send on one stream ahead of what was read. */
const STREAM_WINDOW = 256 * 1024;

export interface PeerCallOptions {
  /** Sent beside the mark of a forwarded call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Undefined: no deadline. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Peer {
  readonly sessions: Http2SessionManager;
  readonly transport: Transport;
}

/** The other instances, by gRPC: a connection to each that was asked something. */
export class Peers {
  readonly #peers = new Map<string, Peer>();

  /**
   * Rejects with the other instance's error, as UsherError with its reason. NOT_OWNER also stands
   * for an instance that cannot be reached, SHARD_UNAVAILABLE for a connection that broke during
   * the call.
   */
  async unary<Input extends DescMessage, Output extends DescMessage>(
    peer: InstanceRecord,
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    { signal, timeoutMs, headers }: PeerCallOptions,
  ): Promise<MessageShape<Output>> {
    const { sessions } = await this.#connected(peer);
    try {
      const all = { ...headers, [FORWARDED]: "1" };
      return await callPeer(sessions, method, request, { headers: all, timeoutMs, signal });
    } catch (error) {
      throw fromPeer(error, signal);
    }
  }

  /** Errors as those of `unary`. */
  serverStream<Input extends DescMessage, Output extends DescMessage>(
    peer: InstanceRecord,
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    options: PeerCallOptions,
  ): AsyncGenerator<MessageShape<Output>> {
    return this.#stream(peer, method, once(request), options);
  }

  /** Errors as those of `unary`. The requests are read as fast as the other takes them. */
  bidiStream<Input extends DescMessage, Output extends DescMessage>(
    peer: InstanceRecord,
    method: DescMethodBiDiStreaming<Input, Output>,
    requests: AsyncIterable<MessageShape<Input>>,
    options: PeerCallOptions,
  ): AsyncGenerator<MessageShape<Output>> {
    return this.#stream(peer, method, requests, options);
  }

  close(): void {
    for (const { sessions } of this.#peers.values()) sessions.abort();
    this.#peers.clear();
  }

  /** Closes connections to instances that are gone. */
  keepOnly(living: readonly InstanceRecord[]): void {
    const addresses = new Set(living.map(({ address }) => address));
    for (const [address, { sessions }] of this.#peers) {
      if (addresses.has(address)) continue;
      this.#peers.delete(address);
      sessions.abort();
    }
  }

  async *#stream<Input extends DescMessage, Output extends DescMessage>(
    peer: InstanceRecord,
    method: DescMethodServerStreaming<Input, Output> | DescMethodBiDiStreaming<Input, Output>,
    requests: AsyncIterable<MessageShape<Input>>,
    { signal, timeoutMs, headers }: PeerCallOptions,
  ): AsyncGenerator<MessageShape<Output>> {
    const { transport } = await this.#connected(peer);
    // A reader that leaves early ends the call.
    const left = new AbortController();
    const over = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
    const header = { ...headers, [FORWARDED]: "1" };
    const input = requests as AsyncIterable<MessageInitShape<Input>>;
    try {
      const { message } = await transport.stream(method, over, timeoutMs, header, input);
      yield* message;
    } catch (error) {
      throw fromPeer(error, signal);
    } finally {
      left.abort();
    }
  }

  async #connected({ address }: InstanceRecord): Promise<Peer> {
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      peer = connect(address);
      this.#peers.set(address, peer);
    }
    const { sessions } = peer;
    const state = sessions.state() === "open" ? "open" : await connected(sessions);
    if (state === "error") throw new UsherError("NOT_OWNER", { cause: sessions.error() });
    return peer;
  }
}

function connect(address: string): Peer {
  const baseUrl = `http://${address}`;
  // No pings. A stopped instance is cut off when its life is over. And connect-node leaves the
  // error event of an unanswered ping unhandled.
  const settings = { initialWindowSize: STREAM_WINDOW };
  const sessions = new Http2SessionManager(baseUrl, {}, { settings });
  return { sessions, transport: createGrpcTransport({ baseUrl, sessionManager: sessions }) };
}

/** A host that does not answer counts like one that refuses. */
async function connected(sessions: Http2SessionManager): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"error">((resolve) => {
    timer = setTimeout(() => resolve("error"), CONNECT_MS);
  });
  try {
    return await Promise.race([sessions.connect(), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message;
}
