import type { Log } from "../logging/log.ts";
import type { Shutdown } from "./shutdown.ts";

/** Throws, or rejects, when the database does not answer. */
export type Probe = () => void | Promise<void>;

/** Resolves with why calls should not be sent here now; undefined if they should. */
export type Readiness = () => Promise<string | undefined>;

/** A database that has not answered after this long counts as down. */
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
      // Probes come every few seconds, so only a change is logged.
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
