/** Limits and defaults of the engine; sizes in bytes, times in milliseconds. */
export interface QueueLimits {
  /** Of one task: payload and attributes together. */
  readonly maxTaskBytes: number;
  /** Payloads in memory, in bytes. The others are read back when they are taken. */
  readonly cacheBytes: number;
  /** What tasks of temporary tubes may take in memory. */
  readonly temporaryBytes: number;
}

/** How long a lease lasts that has neither a ttr nor a session. */
export const DEFAULT_LEASE_MS = 60_000;
/** No time is set later than this: JSON's timestamps end with the year 9999. */
export const LATEST_MS = Date.UTC(9999, 0, 1);
/** The most tasks, leases or ids in one call. */
export const MAX_BATCH = 10_000;
