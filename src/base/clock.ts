/** Where the time comes from, so that tests can step it. */
export interface Clock {
  /**
   * Wall time, in milliseconds since the Unix epoch: for what is shown, written, or compared with
   * times of other machines. It jumps when somebody sets the machine's clock.
   */
  now(): number;
  /**
   * Whole milliseconds that go on evenly, whatever happens to the wall clock: for durations within
   * a process. They begin with the wall time of the process's start.
   */
  monotonic(): number;
  /**
   * What turns a time of `monotonic` into wall time when it is added: how far the wall clock was
   * set forward since the start, in whole milliseconds. 0 where nobody set it. It is as fresh as
   * the last call of `monotonic`, within a tenth of a second.
   */
  readonly wallOffset: number;
  /**
   * Calls `callback` once, `delayMs` milliseconds from now or as soon after as it can, on the
   * monotonic clock. Returns a function that takes the request back; calling it late or twice does
   * nothing.
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** setTimeout overflows past this many milliseconds (24.8 days) and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** The wall clock is looked at this often, and not with every reading of the monotonic one. */
const LOOK_EVERY_MS = 100;
/** Readings of the two clocks that differ by less are no step: each is rounded. */
const SMALLEST_STEP_MS = 20;
/** A look that took longer tells nothing: the process was stopped between its readings. */
const LONGEST_LOOK_MS = 1;

class SystemClock implements Clock {
  wallOffset = 0;
  readonly #origin = Date.now() - performance.now();
  #nextLook = 0;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    const time = Math.floor(this.#origin + performance.now());
    if (time >= this.#nextLook) this.#lookAtWall(time);
    return time;
  }

  after(delayMs: number, callback: () => void): () => void {
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
  }

  #lookAtWall(time: number): void {
    const wall = Date.now();
    if (this.#origin + performance.now() - time > 1 + LONGEST_LOOK_MS) return;
    this.#nextLook = time + LOOK_EVERY_MS;
    const offset = wall - time;
    if (Math.abs(offset - this.wallOffset) >= SMALLEST_STEP_MS) this.wallOffset = offset;
  }
}

export const systemClock: Clock = new SystemClock();
