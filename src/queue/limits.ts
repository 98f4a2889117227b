/** Limits and defaults of the engine; sizes in bytes, times in milliseconds. */
export interface QueueLimits {
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
  /** Payloads kept in memory; the others are read back when they are taken. */
  readonly cacheBytes: number;
}

/** How long a lease lasts that has neither a ttr nor a session. */
export const DEFAULT_LEASE_MS = 60_000;
/** A Take stops growing at so many bytes of payload, below what gRPC clients accept by default. */
export const MAX_TAKE_BYTES = 3 * 1024 * 1024;
/** Tasks, leases and ids in one call. */
export const MAX_BATCH = 10_000;
