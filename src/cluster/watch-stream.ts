import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { WatchRequest, WatchResponseSchema } from "../../gen/usher/queue/v1/stream_pb.ts";
import { UsherError } from "../base/errors.ts";
import { isForwarded, type Router } from "./shard-router.ts";
import { shardOfTube } from "./shards.ts";

/**
 * The changes of a tube's tasks, from its owner. The stream ends with SHARD_UNAVAILABLE if the
 * shard moves.
 */
export async function* watch(
  router: Router,
  request: WatchRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof WatchResponseSchema>> {
  const shard = shardOfTube(request.tube);
  try {
    if (isForwarded(context) && router.here(shard) === undefined) throw new UsherError("NOT_OWNER");
    const owner = await router.ownerOf(shard, context);
    const local = router.here(shard);
    if (owner === "here" && local !== undefined) {
      yield* local.service.watch(request, context);
    } else if (owner === "here") {
      throw new UsherError("SHARD_UNAVAILABLE");
    } else {
      const { signal } = context;
      yield* router.peers.serverStream(owner, QueueService.method.watch, request, {
        signal,
        timeoutMs: context.timeoutMs(),
      });
    }
  } catch (error) {
    throw router.endOfStream(error, context);
  }
}
