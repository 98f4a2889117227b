import type { Log } from "../logging/log.ts";
import type { Shutdown } from "./shutdown.ts";

/** What keeps a storage that answers from taking changes: all of them, or those that need room. */
export type StorageTrouble = "read_only" | "full";

/** Throws, or rejects, when the database does not answer. */
export type Probe = () => StorageTrouble | undefined | Promise<StorageTrouble | undefined>;

export interface Ready {
  /** Why calls should not be sent here now; undefined if they should. */
  readonly reason?: string;
  /** Which calls are refused though others should be sent. */
  readonly warning?: string;
}

export type Readiness = () => Promise<Ready>;

/** A database that has not answered after this long counts as down. */
const PROBE_TIMEOUT_MS = 3_000;

/** The one answer behind /readyz and grpc.health.v1. */
export function readiness(shutdown: Shutdown, probe: Probe, log: Log): Readiness {
  let failing = false;
  const ask = async (): Promise<Ready> => {
    if (shutdown.draining) return { reason: "draining" };
    try {
      const trouble = await withTimeout(probe, PROBE_TIMEOUT_MS);
      failing = false;
      return trouble === undefined ? {} : answers[trouble];
    } catch (error) {
      // Probes come every few seconds, so only a change is logged.
      if (!failing) log.warn({ err: error }, "the database does not answer");
      failing = true;
      return { reason: "the database does not answer" };
    }
  };
  return ask;
}

const answers: Readonly<Record<StorageTrouble, Ready>> = {
  read_only: { reason: "the data folder is on a read-only file system" },
  full: { warning: "the disk is full: puts are refused" },
};

async function withTimeout(probe: Probe, timeoutMs: number): Promise<StorageTrouble | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([probe(), late]);
  } finally {
    clearTimeout(timer);
  }
}
