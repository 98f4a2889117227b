import { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import { byShard } from "./batches-by-shard.ts";
import type { LocalShards } from "./local-shards.ts";
import type { Router } from "./shard-router.ts";

/**
 * Gives back tasks of other instances that did not reach their caller: as if never taken. An owner
 * that cannot be told gets them back when their leases end.
 */
export function giveBack(router: Router, leases: readonly string[]): void {
  for (const [shard, ofShard] of byShard(leases, (lease) => lease)) {
    if (giveBackHere(router.local, shard, ofShard)) continue;
    const owner = router.membership.knownOwner(shard);
    if (owner === undefined || owner === "here") continue;
    router.peers
      .unary(owner, ClusterService.method.giveBack, { leases: [...ofShard] }, {})
      .catch(() => {});
  }
}

/**
 * Gives back tasks of a shard of this instance. Returns false if this instance does not have the
 * shard.
 */
export function giveBackHere(
  local: LocalShards,
  shard: number,
  leases: readonly string[],
): boolean {
  const served = local.get(shard);
  served?.engine.giveBack(leases.map((lease) => ({ lease })));
  return served !== undefined;
}
