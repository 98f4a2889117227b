import { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import type { Router } from "./router.ts";
import { byShard } from "./split-batches.ts";

/**
 * Tasks that were taken elsewhere did not reach their caller: they go back as if never taken. Where
 * their owner does not hear of it they go back when their leases end.
 */
export function giveBack(router: Router, leases: readonly string[]): void {
  for (const [shard, ofShard] of byShard(leases, (lease) => lease)) {
    const local = router.here(shard);
    if (local !== undefined) {
      local.engine.giveBack(ofShard.map((lease) => ({ lease })));
      continue;
    }
    const owner = router.membership.knownOwner(shard);
    if (owner === undefined || owner === "here") continue;
    router.peers
      .unary(owner, ClusterService.method.giveBack, { leases: [...ofShard] }, {})
      .catch(() => {});
  }
}
