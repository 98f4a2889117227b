import { UsherError } from "../../base/errors.ts";

/** Lets a bounded number of jobs run at once, and a bounded number wait for their turn. */
export interface Gate {
  /**
   * Runs a job when its turn comes. Throws OVERLOADED if too many wait already, and the signal's
   * reason if the caller gives up before the job begins; a job that has begun is not cut off.
   */
  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

const RETRY_MS = 1_000;

export function createGate(limits: { readonly atOnce: number; readonly waiting: number }): Gate {
  let running = 0;
  const waiting = new Set<() => void>();

  async function turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (running < limits.atOnce) {
      running++;
      return;
    }
    if (waiting.size >= limits.waiting) {
      throw new UsherError("OVERLOADED", { retryAfterMs: RETRY_MS });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      waiting.delete(resolve);
      reject(signal?.reason);
    };
    waiting.add(resolve);
    signal?.addEventListener("abort", giveUp);
    await promise.finally(() => signal?.removeEventListener("abort", giveUp));
  }

  /** The turn passes on to the one who waits longest. */
  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      running--;
    } else {
      waiting.delete(next);
      next();
    }
  }

  return {
    async run(job, signal) {
      await turn(signal);
      try {
        return await job();
      } finally {
        leave();
      }
    },
  };
}
