import type { DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { UsherError } from "../base/errors.ts";
import { answerBatch, produce } from "../queue/handlers/streams.ts";
import { onAnswerLost } from "../wire/lost-answer.ts";
import { settleByShards } from "./batches-by-shard.ts";
import { listTubes, statistics } from "./fan-out.ts";
import type { SessionRouting } from "./session-routing.ts";
import type { Router } from "./shard-router.ts";
import { shardOfToken, shardOfTube } from "./shards.ts";
import { giveBack } from "./undo-take.ts";
import { watch } from "./watch-stream.ts";
import { work } from "./work-stream.ts";

const method = QueueService.method;

/** QueueService over all shards: each call goes to the owner of what it is about. */
export function createClusterQueueService(
  router: Router,
  sessions: SessionRouting,
): ServiceImpl<typeof QueueService> {
  /** A call about one tube. */
  function byTube<Method extends DescMethodUnary>(desc: Method) {
    return (request: MessageShape<Method["input"]>, context: HandlerContext) =>
      router.unary(
        shardOfTube((request as unknown as { tube: string }).tube),
        desc as DescMethodUnary<Method["input"], Method["output"]>,
        request,
        context,
      );
  }

  /** A call about one lease. A lease that no shard has given out is lost on any of them. */
  function byLease<Method extends DescMethodUnary>(desc: Method) {
    return (request: MessageShape<Method["input"]>, context: HandlerContext) =>
      router.unary(
        shardOfToken((request as unknown as { lease: string }).lease) ?? anyShard(router),
        desc as DescMethodUnary<Method["input"], Method["output"]>,
        request,
        context,
      );
  }

  return {
    createTube: (request, context) =>
      router.unary(shardOfTube(request.tube?.name ?? ""), method.createTube, request, context),
    getTube: byTube(method.getTube),
    listTubes: (request, context) => listTubes(router, request, context),
    updateTube: (request, context) =>
      router.unary(shardOfTube(request.tube?.name ?? ""), method.updateTube, request, context),
    deleteTube: byTube(method.deleteTube),
    truncateTube: byTube(method.truncateTube),
    pauseTube: byTube(method.pauseTube),
    resumeTube: byTube(method.resumeTube),
    getStatistics: (request, context) =>
      request.tube === ""
        ? statistics(router, request, context)
        : router.unary(shardOfTube(request.tube), method.getStatistics, request, context),

    put: byTube(method.put),
    batchPut: byTube(method.batchPut),
    async take(request, context) {
      const shard = shardOfTube(request.tube);
      const here = router.here(shard) !== undefined;
      const session = await sessions.bring(request.session, shard, context);
      try {
        const answer = await router.unary(shard, method.take, request, context, session);
        const leases = here ? [] : (answer.tasks ?? []).map(({ lease }) => lease ?? "");
        if (leases.length > 0) context.values.set(onAnswerLost, () => giveBack(router, leases));
        return answer;
      } catch (error) {
        // The same answer as at the stop of a single instance.
        if (router.membership.isStopping && isShuttingDown(error)) return { tasks: [] };
        throw error;
      }
    },
    ack: byLease(method.ack),
    release: byLease(method.release),
    bury: byLease(method.bury),
    touch: byLease(method.touch),
    async batchAck(request, context) {
      return { failures: await settleByShards(router, method.batchAck, request, context) };
    },
    async batchRelease(request, context) {
      return { failures: await settleByShards(router, method.batchRelease, request, context) };
    },
    getTask: byTube(method.getTask),
    listTasks: byTube(method.listTasks),
    kickTasks: byTube(method.kickTasks),
    deleteTask: byTube(method.deleteTask),
    buryTask: byTube(method.buryTask),
    releaseAll: byTube(method.releaseAll),

    openSession: (request, context) =>
      router.unary(anyShard(router), method.openSession, request, context),
    renewSession: (request, context) =>
      router.unary(
        shardOfToken(request.session) ?? anyShard(router),
        method.renewSession,
        request,
        context,
      ),
    async closeSession(request, context) {
      const { session } = request;
      const shard = shardOfToken(session) ?? anyShard(router);
      const answer = await router.unary(shard, method.closeSession, request, context);
      await sessions.endHasArrived(session);
      return answer;
    },

    work: (requests, context) => work(router, sessions, requests, context),
    produce: (requests, context) =>
      produce(requests, context.signal, {
        put: ({ sequence, tube, tasks, wait }) =>
          answerBatch(sequence, async () => {
            const request = { $typeName: method.batchPut.input.typeName, tube, tasks, wait };
            const shard = shardOfTube(tube);
            const answer = await router.unary(shard, method.batchPut, request as never, context);
            const { ids = [], duplicates = [] } = answer;
            return { ids: ids as bigint[], duplicates: duplicates as number[] };
          }),
        onDrain: (callback) => router.membership.onDrain(callback),
      }),
    watch: (request, context) => watch(router, request, context),
  };
}

/** A shard for calls that belong to none: one that is served here, if there is one. */
function anyShard(router: Router): number {
  const local = router.local.all();
  return local[Math.floor(Math.random() * local.length)]?.shard ?? 0;
}

function isShuttingDown(error: unknown): boolean {
  return error instanceof UsherError && error.reason === "SHUTTING_DOWN";
}
