import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { keyStoreOf } from "../auth/sealing/sealing-keys.ts";
import { createCluster } from "../cluster/cluster.ts";
import type { Config } from "../config/config.ts";
import type { StorageAddress } from "../config/setting-types.ts";
import { createAuthRepository } from "../storage/mongodb/auth/repository.ts";
import { ensureAuthCollections } from "../storage/mongodb/auth/schema.ts";
import { createShardRegistry } from "../storage/mongodb/cluster/registry.ts";
import { openDatabase } from "../storage/mongodb/database.ts";
import { refuseUnfinishedMove } from "../storage/mongodb/move/target.ts";
import { ensureQueueCollections } from "../storage/mongodb/queue/schema.ts";
import { createShardStores } from "../storage/mongodb/queue/store.ts";
import { LARGEST_TASK } from "../storage/mongodb/queue/writes.ts";
import { StorageOpenError } from "../storage/open-error.ts";
import type { Backend, BackendParts } from "./backend.ts";
import { queueLimits } from "./queue-limits.ts";

type Url = Extract<StorageAddress, { kind: "mongodb" }>;

/** One instance of several that share a MongoDB. Rejects with StorageOpenError. */
export async function openClustered(
  { url }: Url,
  config: Config,
  { log, clock }: BackendParts,
): Promise<Backend> {
  const limits = queueLimits(config);
  const { maxTaskBytes } = limits;
  if (maxTaskBytes > LARGEST_TASK) {
    throw new StorageOpenError(
      `queue.max_task_size is ${maxTaskBytes} bytes, and MongoDB takes no task of more than ${LARGEST_TASK}`,
    );
  }
  await using opening = new AsyncDisposableStack();
  const database = await openDatabase(url);
  opening.defer(() => database.close());
  await Promise.all([ensureQueueCollections(database.db), ensureAuthCollections(database.db)]);
  await refuseUnfinishedMove(database.db);
  const id = randomUUID();
  const stores = createShardStores(database, { owner: id });
  opening.defer(() => stores.close());
  const cluster = createCluster({
    registry: createShardRegistry(database.db, { id, sessionOf: stores.sessionOf }),
    openStore: (shard, epoch, lost) => stores.store(shard, epoch, lost),
    lifeMs: config.cluster.life,
    clock,
    log,
    limits,
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= cluster.stop();
    return stopping;
  };
  opening.defer(stop);

  const open = opening.move();
  return {
    repository: createAuthRepository(database, id),
    keys: keyStoreOf(config.auth.sealingKeys ?? []),
    queue: cluster.queue,
    cluster: cluster.cluster,
    tubes: cluster.tubes,
    async probe() {
      await database.ping();
      cluster.check();
      return undefined;
    },
    async start(grpcAddress) {
      await cluster.start(config.cluster.advertise ?? reachable(grpcAddress));
      // A move that began meanwhile has either seen this instance and given up, or is seen here.
      await refuseUnfinishedMove(database.db);
    },
    drain() {
      // The others shall have the shards soon, even while calls still run here.
      cluster.drain();
      void stop();
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/**
 * The address for other instances. A listener on every address is reached by the machine's name.
 */
function reachable(address: string): string {
  const port = address.slice(address.lastIndexOf(":") + 1);
  return /^(0\.0\.0\.0|\[::\]):/.test(address) ? `${hostname()}:${port}` : address;
}
