import { totalmem } from "node:os";
import type { Config } from "../config/config.ts";
import type { QueueLimits } from "../queue/rules/limits.ts";

/** The part of the memory that temporary tubes may take, unless a setting says otherwise. */
const TEMPORARY_PART = 1 / 4;

export function queueLimits({ queue }: Config): QueueLimits {
  const { maxTaskSize, cacheSize, maxTemporarySize } = queue;
  return {
    maxTaskBytes: maxTaskSize,
    cacheBytes: cacheSize,
    temporaryBytes: maxTemporarySize ?? Math.floor(memory() * TEMPORARY_PART),
  };
}

/** Of the container, where there is one, or of the machine; in bytes. */
function memory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
