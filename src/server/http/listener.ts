import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Log } from "../../logging/log.ts";
import {
  type ListenAddress,
  type Listener,
  lingerBriefly,
  listen,
  MAX_CONCURRENT_CALLS,
  TCP_KEEP_ALIVE_MS,
} from "../listener.ts";
import type { ServedService } from "../served-service.ts";
import { hostCheck } from "./hosts.ts";
import { originCheck } from "./origins.ts";
import {
  type HttpRequest,
  type HttpResponse,
  jsonAnswer,
  type Page,
  send,
  servePage,
} from "./pages.ts";
import { peekProtocol } from "./protocol-detection.ts";
import { refuse } from "./refusal.ts";
import { createRpcHandler } from "./rpc.ts";

export interface HttpListenerOptions {
  readonly listen: ListenAddress;
  readonly services: readonly ServedService[];
  /** Pages by path, such as "/healthz". */
  readonly pages: ReadonlyMap<string, Page>;
  readonly log: Log;
  /** Aborts when calls that still run are given up, with SHUTTING_DOWN. */
  readonly abortSignal: AbortSignal;
  /** The largest request message, unpacked, in bytes. */
  readonly maxRequestBytes: number;
  /** Names by which callers may call the listener, beside its own. */
  readonly allowedHosts?: readonly string[];
  /** Origins of pages whose scripts may call, beside the listener's own; "*" is every one. */
  readonly allowedOrigins?: readonly string[];
  /** How long a new connection may take to say which protocol it speaks; in milliseconds. */
  readonly peekTimeoutMs?: number;
}

const DEFAULT_PEEK_TIMEOUT_MS = 10_000;
/** Longer than load balancers keep theirs, so that none reuses a connection just closed here. */
const KEEP_ALIVE_MS = 75_000;
/** How often connections that have become idle are closed while the listener closes. */
const CLOSE_IDLE_EVERY_MS = 100;

/**
 * Serves RPCs and pages over HTTP/1.1 and plaintext HTTP/2 on one port. Throws ListenError if the
 * address cannot be opened.
 */
export async function startHttpListener(options: HttpListenerOptions): Promise<Listener> {
  const { pages, peekTimeoutMs = DEFAULT_PEEK_TIMEOUT_MS } = options;
  const rpc = createRpcHandler(options);
  const checkHost = hostCheck(options.listen.host, options.allowedHosts ?? []);
  const checkOrigin = originCheck(options.allowedOrigins ?? []);
  // Connect's clients read "code"; "unimplemented" is what they make of a 404 without one.
  const notFound = jsonAnswer(404, {
    code: "unimplemented",
    message: `no such page or RPC; the pages are ${[...pages.keys()].join(", ")}`,
  });
  const onRequest = (request: HttpRequest, response: HttpResponse): void => {
    const host = "authority" in request ? request.authority : request.headers.host;
    try {
      // Browsers always send a host. Probes by HTTP/1.0 may have none.
      if (host !== undefined) checkHost?.(host);
      if (checkOrigin(request, response, host)) return;
    } catch (error) {
      refuse(error, request, response);
      return;
    }
    const page = pages.get(request.url?.split("?", 1)[0] ?? "");
    if (page !== undefined) void servePage(page, request, response);
    else if (!rpc(request, response)) {
      send(notFound, request, response);
    }
  };

  // The number of calls and the size of their requests bound the memory of an HTTP/2 session.
  // Node's own bound would reset streams that did nothing wrong.
  const http2 = createHttp2Server(
    {
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      settings: { maxConcurrentStreams: MAX_CONCURRENT_CALLS },
    },
    onRequest,
  );
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });

  const http1 = createHttp1Server(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    },
    onRequest,
  );
  // The server handles a connection after the protocol is known.
  const [serveHttp1] = http1.listeners("connection");
  http1.removeAllListeners("connection");
  const sockets = new Set<Socket>();
  const silent = new Set<Socket>();
  http1.on("connection", (socket) => {
    sockets.add(socket);
    silent.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
    peekProtocol(socket, peekTimeoutMs, (protocol) => {
      silent.delete(socket);
      if (protocol === "http2") {
        // HTTP/1.1 needs sockets that stay open after the client's end. HTTP/2 has none that are
        // half-open.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      } else {
        serveHttp1?.call(http1, socket);
        socket.resume();
      }
    });
  });
  const address = await listen(http1, options.listen, "USHER_HTTP_LISTEN", options.log);

  return {
    address,
    close: () =>
      new Promise((resolve) => {
        const closeIdle = setInterval(() => http1.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
        http1.close(() => {
          clearInterval(closeIdle);
          resolve();
        });
        for (const session of sessions) session.close();
        for (const socket of silent) socket.destroy();
        lingerBriefly(sockets);
      }),
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
