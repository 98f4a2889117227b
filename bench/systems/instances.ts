import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { SHARDS } from "../../src/cluster/registry.ts";
import { shardOfTube } from "../../src/cluster/shards.ts";
import { instancesOf, shardsOf } from "../../src/storage/mongodb/cluster/schema.ts";
import type { Bench } from "../run/bench.ts";
import { createTube } from "./tubes.ts";
import { Usher } from "./usher.ts";

/** What is on disk when Usher on MongoDB answers: one text for every row. */
export const MONGODB_DURABLE = "puts and acks on a majority, journaled; a lease need not be";

/** How long shards may take to be spread evenly. */
const SPREAD_MS = 60_000;

/** One of several that share a database, and a tube that it owns. */
export interface Instance {
  readonly usher: Usher;
  readonly tube: string;
}

/** Starts so many on one database; resolves when each owns an even share of the shards. */
export async function startInstances(
  bench: Bench,
  stack: AsyncDisposableStack,
  storage: string,
  count: number,
): Promise<Instance[]> {
  const env = { USHER_AUTH_SEALING_KEYS: randomBytes(32).toString("base64") };
  const ushers: Usher[] = [];
  for (let index = 0; index < count; index++) {
    ushers.push(await Usher.start(bench, stack, { storage, env }));
  }
  const owned = await whenSpread(storage, ushers);
  const instances: Instance[] = [];
  for (const usher of ushers) {
    const tube = tubeIn(owned.get(usher.grpcAddress) ?? new Set());
    await createTube(usher, tube, TubeKind.FIFO);
    instances.push({ usher, tube });
  }
  return instances;
}

/** The shards of each, by address, once no share is more than one larger than it must be. */
async function whenSpread(
  storage: string,
  ushers: readonly Usher[],
): Promise<Map<string, Set<number>>> {
  const client = await MongoClient.connect(storage);
  try {
    const most = Math.ceil(SHARDS / ushers.length);
    const until = performance.now() + SPREAD_MS;
    for (;;) {
      const owned = await ownedShards(client);
      const shares = ushers.map(({ grpcAddress }) => owned.get(grpcAddress)?.size ?? 0);
      const all = shares.reduce((total, share) => total + share, 0);
      if (all === SHARDS && Math.max(...shares) <= most) return owned;
      if (performance.now() > until) throw new Error(`shards are spread as ${shares}`);
      await sleep(100);
    }
  } finally {
    await client.close();
  }
}

async function ownedShards(client: MongoClient): Promise<Map<string, Set<number>>> {
  const db = client.db();
  const instances = await instancesOf(db).find().toArray();
  const addresses = new Map(instances.map(({ _id, address }) => [_id, address]));
  const owned = new Map<string, Set<number>>();
  for (const { _id: shard, owner } of await shardsOf(db).find().toArray()) {
    const address = addresses.get(owner) ?? "";
    owned.set(address, (owned.get(address) ?? new Set()).add(shard));
  }
  return owned;
}

/** A name that falls into one of these shards. */
function tubeIn(shards: ReadonlySet<number>): string {
  for (let nth = 0; ; nth++) {
    const name = `bench-${nth}`;
    if (shards.has(shardOfTube(name))) return name;
  }
}
