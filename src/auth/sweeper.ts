import type { Clock } from "../base/clock.ts";
import type { Log } from "../logging/log.ts";
import type { SweepSteps } from "./repository.ts";

const EVERY_MS = 60_000;
/** The pause between steps of one sweep, so that calls get through. */
const PAUSE_MS = 100;
const STEP = 500;

/** Longer than any access token lives, so that a watcher who was away misses nothing. */
const REVOCATION_LIFE_MS = 60 * 60_000;

/** Removes what is over, in small steps, again and again. */
export interface Sweeper {
  /** Ends after the step that is under way. */
  close(): Promise<void>;
}

export function createSweeper(parts: {
  readonly repository: SweepSteps;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a failed try counts, and how long an event is kept, in milliseconds. */
  readonly attemptLifeMs: number;
  readonly eventLifeMs: number;
}): Sweeper {
  const { repository, clock, log, attemptLifeMs, eventLifeMs } = parts;
  let closed = false;
  let cancel = clock.after(EVERY_MS, begin);
  let running: Promise<void> = Promise.resolve();

  function begin(): void {
    running = step();
  }

  async function step(): Promise<void> {
    let removed = 0;
    try {
      const now = clock.now();
      removed = await repository.sweep({
        now,
        attemptsBefore: now - attemptLifeMs,
        eventsBefore: now - eventLifeMs,
        revocationsBefore: now - REVOCATION_LIFE_MS,
        limit: STEP,
      });
    } catch (error) {
      log.warn({ err: error }, "what is over could not be swept");
    }
    if (!closed) cancel = clock.after(removed < STEP ? EVERY_MS : PAUSE_MS, begin);
  }

  return {
    async close() {
      closed = true;
      cancel();
      await running;
    },
  };
}
