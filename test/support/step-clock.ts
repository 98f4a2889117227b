import type { Clock } from "../../src/base/clock.ts";

/** A clock that stands still until it is stepped. */
export class StepClock implements Clock {
  /** How far `setWall` has moved the wall clock. */
  wallOffset = 0;
  #now: number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.wallOffset;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Somebody sets the wall clock, forward or back; no time passes. */
  setWall(byMs: number): void {
    this.wallOffset += byMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets time pass; what becomes due is called at its time, in order. */
  step(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  /** Time passes while the process is too busy for its timers: they are late until the next step. */
  leap(ms: number): void {
    this.#now += ms;
  }
}
