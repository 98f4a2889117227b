/** Where the time comes from, so that tests can step it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` milliseconds from now or as soon after as it can.
   * Returns a function that takes the request back; calling it late or twice does nothing.
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** setTimeout overflows past this many milliseconds (24.8 days) and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const step = Math.min(leftMs, LONGEST_TIMEOUT_MS);
      timer = setTimeout(
        () => (leftMs > step ? arm(leftMs - step) : callback()),
        Math.max(0, step),
      );
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};
