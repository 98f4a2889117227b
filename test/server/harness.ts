import {
  type Client,
  Code,
  ConnectError,
  createClient,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { Log } from "../../src/logging/log.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../src/server/server.ts";

export type QueueHandlers = Partial<ServiceImpl<typeof QueueService>>;

export const MAX_REQUEST_BYTES = 1024 * 1024;

/** A line that the server has logged. */
export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface TestServer extends RunningServer {
  readonly logged: readonly LogLine[];
  /** Makes the database stop or begin to answer. */
  setDatabaseUp(up: boolean): void;
}

/** The real server on free ports, with handlers of the test's own. */
export async function startTestServer(
  queue: QueueHandlers,
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const logged: LogLine[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    logged.push({ level, fields: { ...fields }, message });
  };
  const log: Log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  let databaseUp = true;
  const server = await startServer({
    services: { auth: {}, queue },
    grpcListen: { host: "127.0.0.1", port: 0 },
    httpListen: { host: "127.0.0.1", port: 0 },
    log,
    probe() {
      if (!databaseUp) throw new Error("disk on fire");
    },
    maxRequestBytes: MAX_REQUEST_BYTES,
    ...options,
  });
  return {
    ...server,
    logged,
    setDatabaseUp(up) {
      databaseUp = up;
    },
  };
}

export interface TestClient extends AsyncDisposable {
  readonly client: Client<typeof QueueService>;
  readonly transport: Transport;
}

type Connect = (server: RunningServer) => TestClient;

/** Over HTTP/2, with a connection of its own that ends with the client. */
function overHttp2(
  address: (server: RunningServer) => string,
  create: (baseUrl: string, sessionManager: Http2SessionManager) => Transport,
): Connect {
  return (server) => {
    const baseUrl = `http://${address(server)}`;
    const session = new Http2SessionManager(baseUrl);
    const transport = create(baseUrl, session);
    return {
      transport,
      client: createClient(QueueService, transport),
      async [Symbol.asyncDispose]() {
        session.abort();
      },
    };
  };
}

function overHttp1(create: (baseUrl: string) => Transport): Connect {
  return (server) => {
    const transport = create(`http://${server.httpAddress}`);
    return {
      transport,
      client: createClient(QueueService, transport),
      async [Symbol.asyncDispose]() {},
    };
  };
}

const grpcAddress = (server: RunningServer): string => server.grpcAddress;
const httpAddress = (server: RunningServer): string => server.httpAddress;

export const overGrpc: Connect = overHttp2(grpcAddress, (baseUrl, sessionManager) =>
  createGrpcTransport({ baseUrl, sessionManager }),
);

/** Every way to call the server with a generated client that can stream in both directions. */
export const http2Transports: Readonly<Record<string, Connect>> = {
  "gRPC on the gRPC port": overGrpc,
  "gRPC on the HTTP port": overHttp2(httpAddress, (baseUrl, sessionManager) =>
    createGrpcTransport({ baseUrl, sessionManager }),
  ),
  "gRPC-Web over HTTP/2": overHttp2(httpAddress, (baseUrl, sessionManager) =>
    createGrpcWebTransport({ baseUrl, sessionManager, httpVersion: "2" }),
  ),
  "Connect over HTTP/2": overHttp2(httpAddress, (baseUrl, sessionManager) =>
    createConnectTransport({
      baseUrl,
      sessionManager,
      httpVersion: "2",
      useBinaryFormat: true,
    }),
  ),
  "Connect JSON over HTTP/2": overHttp2(httpAddress, (baseUrl, sessionManager) =>
    createConnectTransport({ baseUrl, sessionManager, httpVersion: "2" }),
  ),
};

/** Every way to call the server with a generated client. */
export const transports: Readonly<Record<string, Connect>> = {
  ...http2Transports,
  "gRPC-Web over HTTP/1.1": overHttp1((baseUrl) =>
    createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  ),
  "Connect over HTTP/1.1": overHttp1((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  ),
  "Connect JSON over HTTP/1.1": overHttp1((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  ),
};

/** An error as its caller sees it. */
export interface SeenError {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly violations: readonly { field: string; description: string }[];
  readonly retryMs: number | undefined;
  readonly details: number;
  readonly metadata: Headers;
}

/** What the call fails with; throws if it does not. */
export async function errorOf(call: Promise<unknown>): Promise<SeenError> {
  let error: unknown;
  try {
    await call;
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new Error("the call did not fail");
  return seen(ConnectError.from(error));
}

export function seen(error: ConnectError): SeenError {
  const [info] = error.findDetails(ErrorInfoSchema);
  const [bad] = error.findDetails(BadRequestSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const delay = retry?.retryDelay;
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason,
    domain: info?.domain,
    violations: (bad?.fieldViolations ?? []).map(({ field, description }) => ({
      field,
      description,
    })),
    retryMs: delay === undefined ? undefined : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
    details: error.details.length,
    metadata: error.metadata,
  };
}

/** All messages of a stream. */
export async function collect<Message>(stream: AsyncIterable<Message>): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

/** A moment that one side of a test reaches and another waits for. */
export interface Moment<Value = void> {
  readonly reached: Promise<Value>;
  reach(value: Value): void;
}

export function moment<Value = void>(): Moment<Value> {
  const { promise, resolve } = Promise.withResolvers<Value>();
  return { reached: promise, reach: resolve };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}
