import type { ServiceImpl } from "@connectrpc/connect";
import type { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { UsherError } from "../base/errors.ts";
import { createClusterService } from "./cluster-service.ts";
import { InternalCalls } from "./internal-calls.ts";
import { LocalShards, type LocalShardsParts } from "./local-shards.ts";
import { Membership } from "./membership.ts";
import { Peers } from "./peers.ts";
import { createClusterQueueService } from "./queue-service.ts";
import type { ShardRegistry } from "./registry.ts";
import { SessionRouting } from "./session-routing.ts";
import { Router } from "./shard-router.ts";

export interface ClusterParts extends LocalShardsParts {
  readonly registry: ShardRegistry;
  /** How long the others wait for a sign of life before they take this instance's shards over. */
  readonly lifeMs: number;
}

/** QueueService of one instance among others. */
export interface Cluster {
  /** Calls wait until the cluster has started. */
  readonly queue: ServiceImpl<typeof QueueService>;
  /** For the other instances. */
  readonly cluster: ServiceImpl<typeof ClusterService>;
  /** Calls of this service itself to its queues, such as its mail. */
  readonly tubes: InternalCalls;
  /** Throws SHARD_UNAVAILABLE while the others may count this instance as dead. */
  check(): void;
  /** Joins the others. They reach this instance's gRPC listener at the address. */
  start(address: string): Promise<void>;
  /** Answers those who wait for a shard, and ends their streams. */
  drain(): void;
  /** Hands every shard over in good order and leaves the others. */
  stop(): Promise<void>;
}

export function createCluster({ registry, lifeMs, ...parts }: ClusterParts): Cluster {
  const { log } = parts;
  const local = new LocalShards(parts);
  const membership = new Membership({ registry, local, log, lifeMs });
  const peers = new Peers();
  membership.onOthers = (others) => peers.keepOnly(others);
  const router = new Router(local, membership, peers);
  const sessions = new SessionRouting(router, log);
  local.sessions = sessions;
  return {
    queue: createClusterQueueService(router, sessions),
    cluster: createClusterService(router, sessions),
    tubes: new InternalCalls(router),
    check() {
      if (!membership.isAlive) throw new UsherError("SHARD_UNAVAILABLE");
    },
    start: (address) => membership.start(address),
    drain: () => membership.drain(),
    async stop() {
      await membership.stop();
      peers.close();
    },
  };
}
