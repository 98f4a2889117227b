import { create, type DescMethod } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createHandlerContext, type HandlerContext } from "@connectrpc/connect";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { BatchPutRequestSchema, NewTaskSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { CreateTubeRequestSchema, TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { payloadMessage } from "../queue/handlers/task-answers.ts";
import type { TubeSettings } from "../queue/repository.ts";
import type { NewTask } from "../queue/rules/new-task.ts";
import type { PutOptions } from "../queue/rules/putting.ts";
import type { NewTube } from "../queue/rules/tube-operations.ts";
import type { Router } from "./shard-router.ts";
import { shardOfTube } from "./shards.ts";

const { createTube, batchPut } = QueueService.method;

/** A tube that Usher makes for itself. */
export type InternalTube = Omit<NewTube, "settings"> & {
  readonly settings: Pick<TubeSettings, "retryBackoff" | "dedupWindowMs">;
};

/** Calls that the service makes to its own queues, wherever the shard is. */
export class InternalCalls {
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  /** Rejects as CreateTube does. */
  async createTube(
    { name, kind, temporary, settings }: InternalTube,
    ifNotExists: boolean,
  ): Promise<{ temporary: boolean }> {
    const tube = { name, kind: TubeKind[kind], temporary, ...settingsMessage(settings) };
    const request = create(CreateTubeRequestSchema, { tube, ifNotExists });
    const shard = shardOfTube(name);
    const answer = await this.#router.unary(shard, createTube, request, contextOf(createTube));
    return { temporary: answer.tube?.temporary ?? false };
  }

  /** Rejects as BatchPut does. */
  async put(tube: string, tasks: readonly NewTask[], { waitMs }: PutOptions): Promise<void> {
    const wait = durationFromMs(waitMs);
    const request = create(BatchPutRequestSchema, { tube, tasks: tasks.map(taskMessage), wait });
    await this.#router.unary(shardOfTube(tube), batchPut, request, contextOf(batchPut));
  }
}

function contextOf(method: DescMethod): HandlerContext {
  return createHandlerContext({
    service: method.parent,
    method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: `usher:/${method.parent.typeName}/${method.name}`,
  });
}

function settingsMessage({ retryBackoff, dedupWindowMs }: InternalTube["settings"]) {
  return {
    dedupWindow: durationFromMs(dedupWindowMs),
    ...(retryBackoff && {
      retryBackoff: {
        initial: durationFromMs(retryBackoff.initialMs),
        max: durationFromMs(retryBackoff.maxMs),
        multiplier: retryBackoff.multiplier,
      },
    }),
  };
}

function taskMessage({ payload, dedupKey, group, priority, ...times }: NewTask) {
  return create(NewTaskSchema, {
    payload: payloadMessage(payload),
    attributes: { ...payload.attributes },
    dedupKey,
    group,
    ...(priority !== undefined && { priority }),
    ...(times.delayMs !== undefined && { delay: durationFromMs(times.delayMs) }),
    ...(times.ttlMs !== undefined && { ttl: durationFromMs(times.ttlMs) }),
    ...(times.ttrMs !== undefined && { ttr: durationFromMs(times.ttrMs) }),
  });
}
