/**
 * Preloaded into a server process (`--import`): its wall clock is WALL_START_MS off from the start,
 * and each SIGUSR2 sets it by WALL_STEP_MS, of which a line on stderr tells. `Date` alone is moved.
 * `performance.now`, timers and the event loop go on, as they do where a machine's clock is set:
 * they follow CLOCK_MONOTONIC.
 */
const stepMs = Number(process.env["WALL_STEP_MS"]);
const RealDate = Date;
let offsetMs = Number(process.env["WALL_START_MS"]);

class SettableDate extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(SettableDate.now());
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}

globalThis.Date = SettableDate as DateConstructor;

process.on("SIGUSR2", () => {
  offsetMs += stepMs;
  process.stderr.write(`the wall clock is ${offsetMs} ms off\n`);
});
