import type { HandlerContext } from "@connectrpc/connect";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { WorkRequest, WorkStart } from "../../gen/usher/queue/v1/stream_pb.ts";
import { invalid, UsherError } from "../base/errors.ts";
import { batch, countUpTo, sessionId, tubeName } from "../queue/handlers/request-fields.ts";
import { DEFAULT_PREFETCH } from "../queue/handlers/streams.ts";
import { MAX_BATCH } from "../queue/rules/limits.ts";
import type { SessionRouting } from "./session-routing.ts";
import { isForwarded, type Router } from "./shard-router.ts";
import { shardOfTube } from "./shards.ts";
import type { WorkResponse } from "./work-messages.ts";
import { SharedWork } from "./work-over-shards.ts";

/**
 * A worker's stream. If all its tubes are in one shard the whole stream goes to the owner of that.
 * Otherwise it becomes one stream for each shard. It ends with SHARD_UNAVAILABLE if a shard moves.
 */
export async function* work(
  router: Router,
  sessions: SessionRouting,
  requests: AsyncIterable<WorkRequest>,
  context: HandlerContext,
): AsyncGenerator<WorkResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await router.membership.unlessDraining(iterator.next());
  if (first.done) return;
  const { message } = first.value;
  if (message.case !== "start") throw invalid("start", "must come first");
  const shards = tubesByShard(message.value);
  try {
    const [only] = shards.keys();
    if (shards.size === 1 && only !== undefined) {
      const all = precededBy(first.value, iterator);
      yield* await openWork(router, sessions, only, message.value, all, context);
      return;
    }
    const shared = new SharedWork(router, message.value, context.signal);
    for (const [shard, tubes] of shards) {
      const part = shared.addPart(shard, tubes);
      shared.run(part, await openWork(router, sessions, shard, part.start, part.requests, context));
    }
    yield* shared.answer({ [Symbol.asyncIterator]: () => iterator });
  } catch (error) {
    throw router.endOfStream(error, context);
  }
}

/** Opens the stream of one shard, here or at its owner. */
async function openWork(
  router: Router,
  sessions: SessionRouting,
  shard: number,
  start: WorkStart,
  requests: AsyncIterable<WorkRequest>,
  context: HandlerContext,
): Promise<AsyncIterable<WorkResponse>> {
  if (isForwarded(context) && router.here(shard) === undefined) throw new UsherError("NOT_OWNER");
  const companion = await sessions.bring(start.session, shard, context);
  const owner = await router.ownerOf(shard, context);
  if (owner === "here") {
    const local = router.here(shard);
    if (local === undefined) throw new UsherError("NOT_OWNER");
    companion?.before(local);
    return local.service.work(requests, context);
  }
  return router.peers.bidiStream(owner, QueueService.method.work, requests, {
    headers: companion?.headers,
    timeoutMs: context.timeoutMs(),
    signal: context.signal,
  });
}

/**
 * The tubes of a start by their shards. Throws INVALID_PARAMS for the same faults as one engine.
 */
function tubesByShard(start: WorkStart): Map<number, string[]> {
  const names = batch("start.tubes", start.tubes);
  const tubes = names.map((name, index) => tubeName(`start.tubes[${index}]`, name));
  countUpTo("start.prefetch", start.prefetch, MAX_BATCH, DEFAULT_PREFETCH);
  sessionId("start.session", start.session);
  return Map.groupBy(tubes, shardOfTube);
}

async function* precededBy(
  first: WorkRequest,
  rest: AsyncIterator<WorkRequest>,
): AsyncGenerator<WorkRequest> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}
