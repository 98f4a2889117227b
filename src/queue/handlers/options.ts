import type { QueueEngine } from "../engine.ts";

/** What the handlers of one QueueService stand on. */
export interface QueueHandlerOptions {
  readonly engine: QueueEngine;
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
}
