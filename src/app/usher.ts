import { type AuthRoom, createAuthService } from "../auth/handlers/service.ts";
import { readAuthSettings } from "../auth/settings.ts";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../logging/log.ts";
import { queueDecoders } from "../queue/handlers/request-codec.ts";
import { queueEncoders } from "../queue/handlers/task-codec.ts";
import { jsonAnswer, type Page } from "../server/http/pages.ts";
import { startServer } from "../server/server.ts";
import type { Backend, BackendParts } from "./backend.ts";
import { openEmbedded } from "./embedded.ts";
import { DeferredMailQueue, openMailQueue } from "./mail-queue.ts";

/** A service that answers calls. */
export interface RunningUsher {
  /** Host and port, such as `127.0.0.1:50051`. */
  readonly grpcAddress: string;
  readonly httpAddress: string;
  /** Where the data is, and whether this start has made it; undefined for a database server. */
  readonly dataFolder: Backend["dataFolder"];
  /**
   * Stops in good order: health turns NOT_SERVING, those who wait are answered, calls under way
   * may finish within the grace, the database closes.
   */
  stop(): Promise<void>;
}

/**
 * Starts the whole service. Rejects with StorageOpenError or ListenError, whose message is a line
 * for the operator; nothing is left open then.
 */
export async function startUsher(
  config: Config,
  { log, clock }: { log: Log; clock: Clock },
): Promise<RunningUsher> {
  // Whatever is open is closed in the opposite order: at a stop, or if the start fails.
  await using starting = new AsyncDisposableStack();
  const backend = starting.use(await openBackend(config, { log, clock }));
  const { repository, keys } = backend;
  const { mailTube } = config.auth;
  const mail = mailTube === undefined ? undefined : new DeferredMailQueue();
  const settings = readAuthSettings(config);
  const auth = createAuthService({ repository, keys, settings, clock, log, mailQueue: mail });
  starting.defer(() => auth.close());

  const server = await startServer({
    services: { auth: auth.implementation, queue: backend.queue, cluster: backend.cluster },
    queueCodecs: { encoders: queueEncoders, decoders: queueDecoders },
    grpcListen: config.grpcListen,
    httpListen: config.httpListen,
    httpAllowedHosts: config.httpAllowedHosts,
    httpAllowedOrigins: config.httpAllowedOrigins,
    log,
    probe: () => backend.probe(),
    maxRequestBytes: config.queue.maxRequestSize,
    pages: new Map([["/.well-known/jwks.json", keysPage(auth)]]),
  });
  const stop = async (graceMs: number): Promise<void> => {
    server.drain();
    backend.drain();
    auth.drain();
    await server.close(graceMs);
  };
  try {
    await backend.start(server.grpcAddress);
    if (mailTube !== undefined) mail?.open(await openMailQueue(backend.tubes, mailTube));
  } catch (error) {
    mail?.fail(error);
    await stop(0);
    throw error;
  }

  const open = starting.move();
  return {
    grpcAddress: server.grpcAddress,
    httpAddress: server.httpAddress,
    dataFolder: backend.dataFolder,
    async stop() {
      await stop(config.shutdownGrace);
      await open.disposeAsync();
    },
  };
}

async function openBackend(config: Config, parts: BackendParts): Promise<Backend> {
  const { storage } = config;
  if (storage.kind === "sqlite") return openEmbedded(storage, config, parts);
  // MongoDB's driver takes 20 MiB and a tenth of a second. Only those who use it load it.
  const { openClustered } = await import("./clustered.ts");
  return openClustered(storage, config, parts);
}

/**
 * How long a copy may be kept. It is less than the time for which a new key is listed before its
 * use.
 */
const KEYS_MAX_AGE_S = 300;

/** The keys that prove access tokens, for services that check them by themselves. */
function keysPage(auth: AuthRoom): Page {
  const headers = { "cache-control": `public, max-age=${KEYS_MAX_AGE_S}` };
  return async () => ({ ...jsonAnswer(200, await auth.publicKeys()), headers });
}
