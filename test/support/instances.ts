import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { ShardRegistry } from "../../src/cluster/registry.ts";
import { SHARDS } from "../../src/cluster/registry.ts";
import { shardOfTube } from "../../src/cluster/shards.ts";
import { createShardRegistry } from "../../src/storage/mongodb/cluster/registry.ts";
import { openDatabase } from "../../src/storage/mongodb/database.ts";
import { testDatabase } from "./mongodb.ts";
import { freeListens, startProcess, temporaryFolder, type UsherProcess } from "./process.ts";
import { until } from "./queue.ts";
import { type Addresses, startService } from "./service.ts";
import { mongodbSettings } from "./storage.ts";

type Settings = Readonly<Record<string, string>>;

/** Instances of one service on one database. */
export interface Instances<One extends Addresses = Addresses> {
  readonly all: readonly One[];
  /** Resolves when these, and no others, own every shard, and none has two more than another. */
  spread(over?: readonly Addresses[]): Promise<void>;
  /** Names of tubes that are not there: as many as asked for of shards of each instance, in order. */
  tubes(ofEach: number): Promise<string[][]>;
}

/** An instance that can be killed, stopped for a while, and ended in good order. */
export interface InstanceProcess extends Addresses, UsherProcess {}

/** So many in this process, once every one has its share of the shards. */
export function startInstances(
  t: TestContext,
  count: number,
  env: Settings = {},
): Promise<Instances<Awaited<ReturnType<typeof startService>>>> {
  return startAll(t, count, env, (settings) => startService(t, settings));
}

/** So many, each in a process of its own. */
export function startInstanceProcesses(
  t: TestContext,
  count: number,
  env: Settings = {},
): Promise<Instances<InstanceProcess>> {
  return startAll(t, count, env, async (settings) => {
    const listens = await freeListens();
    const running = await startProcess(t, temporaryFolder(t), listens, settings);
    return { ...running, grpcAddress: listens.grpc, httpAddress: listens.http };
  });
}

async function startAll<One extends Addresses>(
  t: TestContext,
  count: number,
  env: Settings,
  start: (settings: Settings) => Promise<One>,
): Promise<Instances<One>> {
  const url = await testDatabase(t);
  const settings = { ...mongodbSettings(url), ...env };
  const all = await Promise.all(Array.from({ length: count }, () => start(settings)));
  const registry = await onlooker(t, url);
  const instances: Instances<One> = {
    all,
    async spread(over = all) {
      const wanted = over.map(({ grpcAddress }) => grpcAddress).sort();
      let shares: Record<string, number> = {};
      await until(
        async () => {
          shares = sharesOf([...(await ownersIn(registry)).values()]);
          const loads = Object.values(shares);
          return (
            String(Object.keys(shares).sort()) === String(wanted) &&
            loads.reduce((sum, load) => sum + load, 0) === SHARDS &&
            Math.max(...loads) - Math.min(...loads) < 2
          );
        },
        () => `shards spread over ${wanted}; they have ${JSON.stringify(shares)}`,
      );
    },
    async tubes(ofEach) {
      const owners = await ownersIn(registry);
      const names = all.map((): string[] => []);
      for (let number = 0; names.some((some) => some.length < ofEach); number++) {
        const name = `tube-${number}`;
        const owner = owners.get(shardOfTube(name));
        const index = all.findIndex(({ grpcAddress }) => grpcAddress === owner);
        const some = names[index];
        assert.ok(some, `the shard of ${name} is one of these instances'`);
        if (some.length < ofEach) some.push(name);
      }
      return names;
    },
  };
  await instances.spread();
  return instances;
}

/** The registry, looked at by someone who is no instance. */
async function onlooker(t: TestContext, url: string): Promise<ShardRegistry> {
  const database = await openDatabase(url);
  t.after(() => database.close());
  return createShardRegistry(database.db, { id: "onlooker", sessionOf: () => ({}) });
}

/** The address of the living owner of each shard that has one. */
async function ownersIn(registry: ShardRegistry): Promise<Map<number, string>> {
  const { instances, shards } = await registry.view();
  const addresses = new Map(instances.map(({ id, address }) => [id, address]));
  return new Map(
    shards.flatMap(({ shard, owner }) => {
      const address = addresses.get(owner);
      return address === undefined ? [] : [[shard, address]];
    }),
  );
}

function sharesOf(addresses: readonly string[]): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const address of addresses) shares[address] = (shares[address] ?? 0) + 1;
  return shares;
}
