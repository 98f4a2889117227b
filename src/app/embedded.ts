import type { Config } from "../config/config.ts";
import type { StorageAddress } from "../config/setting-types.ts";
import { QueueEngine } from "../queue/engine.ts";
import { createQueueService } from "../queue/handlers/service.ts";
import { createAuthRepository } from "../storage/sqlite/auth/repository.ts";
import { openSealingKeys } from "../storage/sqlite/auth/sealing-keys.ts";
import { openDatabase } from "../storage/sqlite/database.ts";
import { createQueueStore } from "../storage/sqlite/queue/store.ts";
import { startUpkeep } from "../storage/sqlite/upkeep.ts";
import type { Backend, BackendParts } from "./backend.ts";
import { queueLimits } from "./queue-limits.ts";

type Folder = Extract<StorageAddress, { kind: "sqlite" }>;

/** Everything in one process, on SQLite in a folder. Rejects with StorageOpenError. */
export async function openEmbedded(
  { folder }: Folder,
  config: Config,
  { log, clock }: BackendParts,
): Promise<Backend> {
  await using opening = new AsyncDisposableStack();
  const database = openDatabase(folder);
  opening.defer(() => database.close());
  const keys = openSealingKeys(folder);
  const limits = queueLimits(config);
  const store = createQueueStore(database);
  const recover = async () => ({
    repository: createAuthRepository(database),
    engine: await QueueEngine.open({ store, clock, limits, log }),
  });
  const { repository, engine } = await recover().catch((error: unknown) => {
    throw database.startError(error);
  });
  opening.defer(() => engine.close());
  const upkeep = startUpkeep({ database, clock, log });
  opening.defer(() => upkeep.close());

  const open = opening.move();
  return {
    dataFolder: database.folder,
    repository,
    keys,
    queue: createQueueService({ engine, maxTaskBytes: limits.maxTaskBytes }),
    tubes: engine,
    probe: () => database.ping(),
    async start() {},
    drain: () => engine.drain(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
