import { type ClusterView, SHARDS, type ShardRecord } from "./registry.ts";

/**
 * Which instance shall have which shard. Every instance works this out from the same view and does
 * its own part. Where views differ for a moment, the registry lets only one of two claims through.
 */

type Claim = Pick<ShardRecord, "shard" | "epoch">;

/**
 * The shards without a living owner that an instance shall claim. These are the shards handed to
 * it, its part when the others are dealt out to those with the fewest, and overdue ones that nobody
 * has claimed.
 */
export function claimsOf(view: ClusterView, id: string, overdue: ReadonlySet<number>): Claim[] {
  const loads = loadsOf(view);
  if (!loads.has(id)) return [];
  const known = new Map(view.shards.map((record) => [record.shard, record]));
  const claims: Claim[] = [];
  for (let shard = 0; shard < SHARDS; shard++) {
    const record = known.get(shard);
    if (record !== undefined && loads.has(record.owner)) continue;
    const heir = record !== undefined && loads.has(record.heir) ? record.heir : fewest(loads);
    add(loads, heir);
    if (heir === id || overdue.has(shard)) claims.push({ shard, epoch: record?.epoch ?? 0 });
  }
  return claims;
}

/**
 * Which shards an instance hands over, and to whom, so that no two instances differ by more than
 * one shard. Shards in `kept` stay: some of their tasks are in memory alone.
 */
export function handOversOf(
  view: ClusterView,
  id: string,
  kept: ReadonlySet<number>,
): { shard: number; heir: string }[] {
  const loads = loadsOf(view);
  // These are being handed over already.
  for (const { owner, heir } of view.shards) if (owner === "") add(loads, heir);
  const own = view.shards.filter(({ owner }) => owner === id).map(({ shard }) => shard);
  const movable = own.filter((shard) => !kept.has(shard));
  const fair = Math.ceil(SHARDS / loads.size);
  const handOvers: { shard: number; heir: string }[] = [];
  for (let mine = own.length; movable.length > 0; mine--) {
    const heir = fewest(loads);
    const difference = mine - (loads.get(heir) ?? 0);
    // Of several that have one too many, the first gives.
    if (difference < 2 || (mine <= fair && most(loads) !== id)) break;
    // It takes from both ends in turn, so that neither keeps a run of neighbours.
    const shard = handOvers.length % 2 === 0 ? movable.pop() : movable.shift();
    if (shard === undefined) break;
    handOvers.push({ shard, heir });
    loads.set(id, mine - 1);
    add(loads, heir);
  }
  return handOvers;
}

/** How many shards each living instance has. */
function loadsOf({ instances, shards }: ClusterView): Map<string, number> {
  const loads = new Map(instances.map(({ id }) => [id, 0]));
  for (const { owner } of shards) add(loads, owner);
  return loads;
}

/** One shard more for an instance, if it lives. */
function add(loads: Map<string, number>, id: string): void {
  const load = loads.get(id);
  if (load !== undefined) loads.set(id, load + 1);
}

function fewest(loads: ReadonlyMap<string, number>): string {
  return extreme(loads, (a, b) => a < b);
}

function most(loads: ReadonlyMap<string, number>): string {
  return extreme(loads, (a, b) => a > b);
}

/** The first by id of those with the most extreme load. */
function extreme(
  loads: ReadonlyMap<string, number>,
  beats: (a: number, b: number) => boolean,
): string {
  let found: [string, number] | undefined;
  for (const [id, load] of [...loads].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (found === undefined || beats(load, found[1])) found = [id, load];
  }
  return found?.[0] ?? "";
}
