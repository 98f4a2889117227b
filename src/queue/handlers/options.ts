import type { Clock } from "../../base/clock.ts";
import type { QueueEngine } from "../engine.ts";

/** What the handlers of one QueueService stand on. */
export interface QueueHandlerOptions {
  readonly engine: QueueEngine;
  readonly clock: Clock;
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
}
