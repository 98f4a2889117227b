import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { CommandStartedEvent } from "mongodb";
import type { ShardRegistry } from "../../../src/cluster/registry.ts";
import type { QueueStore } from "../../../src/queue/repository.ts";
import { createShardRegistry } from "../../../src/storage/mongodb/cluster/registry.ts";
import { type MongoDatabase, openDatabase } from "../../../src/storage/mongodb/database.ts";
import { ensureQueueCollections } from "../../../src/storage/mongodb/queue/schema.ts";
import { createShardStores, type ShardStores } from "../../../src/storage/mongodb/queue/store.ts";
import { testDatabase } from "../../support/mongodb.ts";

/** The URL of a database that nothing else uses, with the queues' collections; commands are told. */
export async function freshUrl(t: TestContext): Promise<string> {
  const url = new URL(await testDatabase(t));
  url.searchParams.set("monitorCommands", "true");
  const database = await openDatabase(url.href);
  await ensureQueueCollections(database.db);
  await database.close();
  return url.href;
}

/** What an instance has of the queues' storage. */
export interface Instance {
  readonly database: MongoDatabase;
  readonly stores: ShardStores;
  readonly registry: ShardRegistry;
  /** Claims shards that nobody has owned yet, and gives their stores; `lost` collects the lost. */
  own(...shards: number[]): Promise<QueueStore[]>;
  readonly lost: number[];
}

/** One that has a connection of its own. It has not joined, so that others may take its shards. */
export async function startInstance(
  t: TestContext,
  url: string,
  id: string = randomUUID(),
  patienceMs?: number,
): Promise<Instance> {
  const database = await openDatabase(url);
  const stores = createShardStores(database, {
    owner: id,
    ...(patienceMs !== undefined && { patienceMs }),
  });
  const registry = createShardRegistry(database.db, { id, sessionOf: stores.sessionOf });
  const lost: number[] = [];
  t.after(async () => {
    await stores.close();
    await database.close();
  });
  return {
    database,
    stores,
    registry,
    lost,
    async own(...shards) {
      const epochs = await registry.claim(shards.map((shard) => ({ shard, epoch: 0 })));
      return shards.map((shard) =>
        stores.store(shard, epochs.get(shard) ?? -1, () => lost.push(shard)),
      );
    },
  };
}

/** The commands an instance sends from now on, by name. */
export function commandsOf({ database }: Instance): string[] {
  const names: string[] = [];
  database.client.on("commandStarted", ({ commandName }) => names.push(commandName));
  return names;
}

/** Resolves when an instance begins to send such a command. */
export function nextCommand({ database }: Instance, name: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = ({ commandName }: CommandStartedEvent): void => {
      if (commandName !== name) return;
      database.client.off("commandStarted", listen);
      resolve();
    };
    database.client.on("commandStarted", listen);
  });
}

/** How many commits MongoDB has kept of a shard. */
export async function keptCommits({ database }: Instance, shard: number): Promise<number> {
  const document = await database.db
    .collection<{ _id: number; commits?: number }>("shards")
    .findOne({ _id: shard });
  return document?.commits ?? 0;
}
