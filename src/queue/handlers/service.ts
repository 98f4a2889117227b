import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import type { QueueHandlerOptions } from "./options.ts";
import { sessionHandlers } from "./sessions.ts";
import { streamHandlers } from "./streams.ts";
import { taskHandlers } from "./tasks.ts";
import { tubeHandlers } from "./tubes.ts";

/** QueueService against the generated types; both listeners serve it. */
export function createQueueService(options: QueueHandlerOptions): ServiceImpl<typeof QueueService> {
  return {
    ...tubeHandlers(options),
    ...taskHandlers(options),
    ...sessionHandlers(options),
    ...streamHandlers(options),
  };
}
