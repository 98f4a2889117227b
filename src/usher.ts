import { type AuthRoom, createAuthService } from "./auth/handlers/service.ts";
import { readAuthSettings } from "./auth/settings.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { openMailQueue } from "./mail-queue.ts";
import { QueueEngine } from "./queue/engine.ts";
import { createQueueService } from "./queue/handlers/service.ts";
import { queueEncoders } from "./queue/handlers/task-codec.ts";
import { jsonAnswer, type Page } from "./server/http-pages.ts";
import { startServer } from "./server/server.ts";
import { createAuthRepository } from "./storage/sqlite/auth-repository.ts";
import { openDatabase } from "./storage/sqlite/database.ts";
import { createQueueStore } from "./storage/sqlite/queue-store.ts";
import { openKeyStore } from "./storage/sqlite/secrets.ts";

/** A service that answers calls. */
export interface RunningUsher {
  /** Host and port, such as `127.0.0.1:50051`. */
  readonly grpcAddress: string;
  readonly httpAddress: string;
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
  // What is open, closed in the opposite order: at a stop, or where the start does not succeed.
  await using starting = new AsyncDisposableStack();
  const { folder } = config.storage;
  const database = openDatabase(folder);
  starting.defer(() => database.close());
  const keys = openKeyStore(folder);

  const limits = { maxTaskBytes: config.queue.maxTaskSize, cacheBytes: config.queue.cacheSize };
  const engine = await QueueEngine.open({ store: createQueueStore(database), clock, limits, log });
  starting.defer(() => engine.close());

  const repository = createAuthRepository(database);
  const settings = readAuthSettings(config);
  const { mailTube } = config.auth;
  const mailQueue = mailTube === undefined ? undefined : await openMailQueue(engine, mailTube);
  const auth = createAuthService({ repository, keys, settings, clock, log, mailQueue });
  starting.defer(() => auth.close());

  const server = await startServer({
    services: {
      auth: auth.implementation,
      queue: createQueueService({ engine, clock, maxTaskBytes: limits.maxTaskBytes }),
    },
    queueEncoders,
    grpcListen: config.grpcListen,
    httpListen: config.httpListen,
    log,
    probe: () => database.ping(),
    maxRequestBytes: config.queue.maxRequestSize,
    pages: new Map([["/.well-known/jwks.json", keysPage(auth)]]),
  });

  const open = starting.move();
  return {
    grpcAddress: server.grpcAddress,
    httpAddress: server.httpAddress,
    async stop() {
      server.drain();
      engine.drain();
      auth.drain();
      await server.close(config.shutdownGrace);
      await open.disposeAsync();
    },
  };
}

/** A copy may be kept for as long as a new key is listed ahead of its use, and less. */
const KEYS_MAX_AGE_S = 300;

/** The keys that prove access tokens, for services that check them by themselves. */
function keysPage(auth: AuthRoom): Page {
  const headers = { "cache-control": `public, max-age=${KEYS_MAX_AGE_S}` };
  return async () => ({ ...jsonAnswer(200, await auth.publicKeys()), headers });
}
