const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/**
 * How long to wait before the next attempt, in milliseconds. It doubles with each failure, up to 5
 * s. A random part of up to half is taken off, so that clients do not come back all at once.
 */
export function backoffMs(failures: number): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return whole * (0.5 + Math.random() / 2);
}
