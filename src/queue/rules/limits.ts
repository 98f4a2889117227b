/** Limits and defaults of the engine; sizes in bytes, times in milliseconds. */
export interface QueueLimits {
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
  /** Payloads kept in memory; the others are read back when they are taken. */
  readonly cacheBytes: number;
}

/** How long a lease lasts that has neither a ttr nor a session. */
export const DEFAULT_LEASE_MS = 60_000;
/** No time is set further away: 9999 is the last year that JSON's timestamps have. */
export const LATEST_MS = Date.UTC(9999, 0, 1);
/** Tasks, leases and ids in one call. */
export const MAX_BATCH = 10_000;
