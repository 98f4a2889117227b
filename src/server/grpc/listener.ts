import { createServer, type Socket } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  logVerbosity,
  type MethodDefinition,
  Server,
  ServerCredentials,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { UsherError } from "../../base/errors.ts";
import type { Log } from "../../logging/log.ts";
import {
  type ListenAddress,
  type Listener,
  lingerBriefly,
  listen,
  MAX_CONCURRENT_CALLS,
  TCP_KEEP_ALIVE_MS,
} from "../listener.ts";
import type { Codecs, ServedService } from "../served-service.ts";
import { GrpcCall, type GrpcCalls, type GrpcMethod } from "./call.ts";

export interface GrpcListenerOptions {
  readonly listen: ListenAddress;
  readonly services: readonly ServedService[];
  readonly log: Log;
  /** The largest request message, unpacked, in bytes. */
  readonly maxRequestBytes: number;
  /** Aborts when calls that still run are given up, with SHUTTING_DOWN. */
  readonly abortSignal: AbortSignal;
  /** How often a connection is asked whether it lives; in milliseconds. */
  readonly keepaliveTimeMs?: number;
  /** How long its answer may take before it is cut; in milliseconds. */
  readonly keepaliveTimeoutMs?: number;
}

const DEFAULT_KEEPALIVE_TIME_MS = 60_000;
const DEFAULT_KEEPALIVE_TIMEOUT_MS = 20_000;

/** Serves gRPC over plaintext HTTP/2. Throws ListenError if the address cannot be opened. */
export async function startGrpcListener(options: GrpcListenerOptions): Promise<Listener> {
  // grpc-js would print faulty calls to the console, with their headers.
  setLogVerbosity(logVerbosity.NONE);

  const methods = new Map<string, GrpcMethod>();
  const calls: GrpcCalls = {
    running: new Set(),
    maxRequestBytes: options.maxRequestBytes,
    log: options.log,
  };
  const server = new Server({
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": options.maxRequestBytes,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": MAX_CONCURRENT_CALLS,
    "grpc.keepalive_time_ms": options.keepaliveTimeMs ?? DEFAULT_KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? DEFAULT_KEEPALIVE_TIMEOUT_MS,
    interceptors: [
      ({ path }, wire) => {
        const method = methods.get(path);
        if (method === undefined) throw new Error(`no method ${path}`);
        return new GrpcCall(wire, method, calls);
      },
    ],
  });
  for (const { service, implementation, codecs } of options.services) {
    const definitions: Record<string, MethodDefinition<Buffer, Buffer>> = {};
    for (const desc of service.methods) {
      const definition = define(desc);
      definitions[desc.name] = definition;
      methods.set(definition.path, serve(desc, implementation, codecs));
    }
    server.addService(definitions, {});
  }

  // Sockets are accepted here and not by grpc-js, so that they can be counted and cut.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const acceptor = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
    (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      injector.injectConnection(socket);
    },
  );
  options.abortSignal.addEventListener("abort", () => {
    for (const call of [...calls.running]) call.fail(new UsherError("SHUTTING_DOWN"));
  });
  const address = await listen(acceptor, options.listen, "USHER_GRPC_LISTEN", options.log);

  return {
    address,
    close: () =>
      new Promise((resolve) => {
        acceptor.close(() => resolve());
        injector.destroy();
        lingerBriefly(sockets);
      }),
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function serve(
  desc: DescMethod,
  implementation: ServedService["implementation"],
  { encoders, decoders }: Codecs,
): GrpcMethod {
  const handlers = implementation as Record<string, GrpcMethod["handler"]>;
  return {
    desc,
    handler: handlers[desc.localName]?.bind(implementation),
    encoder: encoders?.[desc.localName],
    decoder: decoders?.[desc.localName],
    streamsIn: desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming",
    streamsOut: desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming",
  };
}

/** grpc-js passes bytes through. Messages are encoded and decoded where errors can be answered. */
function define(desc: DescMethod): MethodDefinition<Buffer, Buffer> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/${desc.parent.typeName}/${desc.name}`,
    requestStream: desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming",
    responseStream: desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming",
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
