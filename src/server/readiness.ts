import type { Log } from "../logging/log.ts";
import type { Shutdown } from "./shutdown.ts";

/** Throws, or rejects, when the database does not answer. */
export type Probe = () => void | Promise<void>;

/** Why calls are not worth sending here now; undefined when they are. */
export type Readiness = () => Promise<string | undefined>;

/** A database that takes longer than this to answer does not answer. */
const PROBE_TIMEOUT_MS = 3_000;

/** The one answer behind /readyz and grpc.health.v1. */
export function readiness(shutdown: Shutdown, probe: Probe, log: Log): Readiness {
  let failing = false;
  const ask = async (): Promise<string | undefined> => {
    if (shutdown.draining) return "draining";
    try {
      await withTimeout(probe, PROBE_TIMEOUT_MS);
      failing = false;
      return undefined;
    } catch (error) {
      // Probes come every few seconds; the log tells the change.
      if (!failing) log.warn({ err: error }, "the database does not answer");
      failing = true;
      return "the database does not answer";
    }
  };
  return ask;
}

async function withTimeout(probe: Probe, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([probe(), late]);
  } finally {
    clearTimeout(timer);
  }
}
