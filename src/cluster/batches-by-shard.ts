import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { LeaseFailureSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { batch } from "../queue/handlers/request-fields.ts";
import type { Router } from "./shard-router.ts";
import { shardOfToken } from "./shards.ts";

type Failure = MessageInitShape<typeof LeaseFailureSchema>;
type BatchMethod = typeof QueueService.method.batchAck | typeof QueueService.method.batchRelease;

/** A lease that no shard has given out is looked up in this one. It is lost there as anywhere. */
const SHARD_OF_NOTHING = 0;

/** Entries by the shards of their leases, in their order. */
export function byShard<T>(entries: readonly T[], leaseOf: (entry: T) => string): Map<number, T[]> {
  return Map.groupBy(entries, (entry) => shardOfToken(leaseOf(entry)) ?? SHARD_OF_NOTHING);
}

/** Settles leases of any shards. Resolves with the failures, in the order of the request. */
export async function settleByShards<Method extends BatchMethod>(
  router: Router,
  method: Method,
  request: MessageShape<Method["input"]>,
  context: HandlerContext,
): Promise<Failure[]> {
  const { leases } = request as { leases: string[] };
  const shards = byShard(batch("leases", leases), (lease) => lease);
  const answers = await Promise.all(
    [...shards].map(async ([shard, ofShard]): Promise<Failure[]> => {
      const part = { ...request, leases: ofShard } as never;
      const answer = await router.unary(shard, method as never, part, context);
      return (answer as { failures?: Failure[] }).failures ?? [];
    }),
  );
  const failures = answers.flat();
  if (shards.size === 1 || failures.length === 0) return failures;
  const places = new Map(leases.map((lease, place) => [lease, place]));
  const placeOf = ({ lease = "" }: Failure): number => places.get(lease) ?? 0;
  return failures.sort((a, b) => placeOf(a) - placeOf(b));
}
