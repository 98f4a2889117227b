import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { Readiness, Ready } from "./readiness.ts";
import type { Shutdown } from "./shutdown.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

export interface HealthOptions {
  /** Full names of the services; "" is the server as a whole. */
  readonly services: readonly string[];
  readonly readiness: Readiness;
  readonly shutdown: Shutdown;
  /** How often a watched status is looked at again; in milliseconds. */
  readonly watchEveryMs?: number;
}

const DEFAULT_WATCH_EVERY_MS = 5_000;

/**
 * grpc.health.v1. Every service stands on the same database, so all have the same status, but for
 * QueueService while it refuses puts.
 */
export function healthService(options: HealthOptions): ServiceImpl<typeof Health> {
  const { readiness, shutdown, watchEveryMs = DEFAULT_WATCH_EVERY_MS } = options;
  const known = new Set(["", ...options.services]);
  const statusOf = (service: string, { reason, warning }: Ready) => {
    const isLimited = warning !== undefined && service === QueueService.typeName;
    return reason === undefined && !isLimited ? SERVING : NOT_SERVING;
  };
  const now = async (service: string) => statusOf(service, await readiness());

  return {
    async check({ service }) {
      if (!known.has(service)) {
        throw new ConnectError(`there is no service ${service}`, Code.NotFound);
      }
      return { status: await now(service) };
    },

    async list() {
      const ready = await readiness();
      const statuses = [...known].map((name) => [name, { status: statusOf(name, ready) }]);
      return { statuses: Object.fromEntries(statuses) };
    },

    async *watch({ service }, context) {
      let last: number | undefined;
      while (!context.signal.aborted) {
        const status = known.has(service) ? await now(service) : SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        // Nothing changes after the drain. The stream ends, so that the stop need not wait for it.
        if (shutdown.draining) return;
        await pause(watchEveryMs, context, shutdown);
      }
    },
  };
}

/** Resolves after `ms`, or as soon as the call or the server ends. */
function pause(ms: number, { signal }: HandlerContext, { drainSignal }: Shutdown): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      drainSignal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    drainSignal.addEventListener("abort", done);
    if (signal.aborted || drainSignal.aborted) done();
  });
}
