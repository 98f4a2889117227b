import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import { byShard } from "./batches-by-shard.ts";
import type { SessionRouting } from "./session-routing.ts";
import type { Router } from "./shard-router.ts";
import { giveBackHere } from "./undo-take.ts";

/** ClusterService: what other instances ask of this one, beside the calls that they forward. */
export function createClusterService(
  router: Router,
  sessions: SessionRouting,
): ServiceImpl<typeof ClusterService> {
  return {
    askForSession({ session, renew }) {
      const { ttlMs, leftMs } = sessions.answer(session, renew);
      return { ttl: durationFromMs(ttlMs), left: durationFromMs(leftMs) };
    },

    async endSession({ session }) {
      await sessions.endHere(session);
      return {};
    },

    giveBack({ leases }) {
      for (const [shard, ofShard] of byShard(leases, (lease) => lease)) {
        giveBackHere(router.local, shard, ofShard);
      }
      return {};
    },
  };
}
