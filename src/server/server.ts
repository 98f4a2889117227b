import type { ServiceImpl } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/google/rpc/status_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { authEncoders } from "../auth/handlers/session-codec.ts";
import type { Log } from "../logging/log.ts";
import { startGrpcListener } from "./grpc/listener.ts";
import { type GuardOptions, guard } from "./guard.ts";
import { healthService } from "./health.ts";
import { startHttpListener } from "./http/listener.ts";
import { alivePage, type Page, readyPage } from "./http/pages.ts";
import type { ListenAddress, Listener } from "./listener.ts";
import { type Probe, readiness } from "./readiness.ts";
import { reflectionServices } from "./reflection.ts";
import { type Codecs, type ServedService, served } from "./served-service.ts";
import { Shutdown } from "./shutdown.ts";

export interface ServerOptions {
  readonly services: {
    readonly auth: Partial<ServiceImpl<typeof AuthService>>;
    readonly queue: Partial<ServiceImpl<typeof QueueService>>;
    /** For other instances; not told by health or reflection. */
    readonly cluster?: ServiceImpl<typeof ClusterService> | undefined;
  };
  /** For QueueService's hot messages on the gRPC listener. */
  readonly queueCodecs?: Codecs;
  readonly grpcListen: ListenAddress;
  readonly httpListen: ListenAddress;
  readonly log: Log;
  /** Throws, or rejects, when the database does not answer. */
  readonly probe: Probe;
  /** The largest request message, unpacked, in bytes. */
  readonly maxRequestBytes: number;
  /** Names by which callers may call the HTTP listener, beside its own. */
  readonly httpAllowedHosts?: readonly string[];
  /** Origins of pages whose scripts may call the HTTP listener; "*" is every one. */
  readonly httpAllowedOrigins?: readonly string[];
  /** Pages beside /healthz and /readyz, by path. */
  readonly pages?: ReadonlyMap<string, Page>;
}

export interface RunningServer {
  /** With the real port: "127.0.0.1:50051". */
  readonly grpcAddress: string;
  readonly httpAddress: string;
  /** Health turns NOT_SERVING and new calls get SHUTTING_DOWN, while those that run go on. */
  drain(): void;
  /**
   * Drains, waits up to `graceMs` for the calls that run, ends what is left with SHUTTING_DOWN and
   * closes both listeners. Calling it again waits for the first.
   */
  close(graceMs: number): Promise<void>;
}

/** How long calls that were given up may take to say so; in milliseconds. */
const LAST_WORDS_MS = 1_000;

/** Opens both listeners. Throws ListenError, one line for the operator, if either cannot be. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, maxRequestBytes } = options;
  const shutdown = new Shutdown();
  const ready = readiness(shutdown, options.probe, log);
  const services = serviceList(options, shutdown, ready);
  const pages = new Map<string, Page>([
    ...(options.pages ?? []),
    ["/healthz", alivePage],
    ["/readyz", readyPage(ready)],
  ]);
  const shared = { services, log, maxRequestBytes, abortSignal: shutdown.abortSignal };

  const grpc = await startGrpcListener({ ...shared, listen: options.grpcListen });
  let http: Listener;
  try {
    http = await startHttpListener({
      ...shared,
      listen: options.httpListen,
      pages,
      allowedHosts: options.httpAllowedHosts ?? [],
      allowedOrigins: options.httpAllowedOrigins ?? [],
    });
  } catch (error) {
    grpc.destroy();
    await grpc.close();
    throw error;
  }

  let closing: Promise<void> | undefined;
  return {
    grpcAddress: grpc.address,
    httpAddress: http.address,
    drain: () => shutdown.drain(),
    close(graceMs) {
      closing ??= close([grpc, http], shutdown, graceMs);
      return closing;
    },
  };
}

function serviceList(
  { services: { auth, queue, cluster }, queueCodecs, log, maxRequestBytes }: ServerOptions,
  shutdown: Shutdown,
  ready: ReturnType<typeof readiness>,
): ServedService[] {
  const options: GuardOptions = { log, shutdown, maxRequestBytes };
  const infrastructure: GuardOptions = { ...options, infrastructure: true };
  const names = [AuthService.typeName, QueueService.typeName];
  const health = healthService({ services: names, readiness: ready, shutdown });
  const reflection = reflectionServices(
    [AuthService, QueueService, Health],
    [file_google_rpc_status, file_google_rpc_error_details],
  );
  return [
    served(AuthService, guard(AuthService, auth, options), { encoders: authEncoders }),
    served(QueueService, guard(QueueService, queue, options), queueCodecs),
    ...(cluster === undefined
      ? []
      : [served(ClusterService, guard(ClusterService, cluster, options))]),
    served(Health, guard(Health, health, infrastructure)),
    ...reflection.map(({ service, implementation }) =>
      served(service, guard(service, implementation, infrastructure)),
    ),
  ];
}

async function close(
  listeners: readonly Listener[],
  shutdown: Shutdown,
  graceMs: number,
): Promise<void> {
  shutdown.drain();
  const closed = Promise.all(listeners.map((listener) => listener.close()));
  if (await within(closed, graceMs)) return;
  shutdown.abort();
  if (await within(closed, LAST_WORDS_MS)) return;
  for (const listener of listeners) listener.destroy();
  await closed;
}

/** Whether the promise was fulfilled in time. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
