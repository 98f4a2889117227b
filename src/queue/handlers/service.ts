import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { QueueEngine } from "../engine.ts";
import { sessionHandlers } from "./sessions.ts";
import { streamHandlers } from "./streams.ts";
import { taskHandlers } from "./tasks.ts";
import { tubeHandlers } from "./tubes.ts";

export interface QueueHandlerOptions {
  readonly engine: QueueEngine;
  readonly clock: Clock;
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
}

/** QueueService against the generated types; both listeners serve it. */
export function createQueueService(options: QueueHandlerOptions): ServiceImpl<typeof QueueService> {
  return {
    ...tubeHandlers(options),
    ...taskHandlers(options),
    ...sessionHandlers(options),
    ...streamHandlers(options),
  };
}
