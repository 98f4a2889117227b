import type { RunningEngine } from "../running-engine.ts";
import { TICK } from "./arbitraries.ts";
import { learn } from "./comparison.ts";
import { Observed } from "./observed.ts";
import type { Reference } from "./reference.ts";

/** Does something to both, if there is something to do it to. */
export type Play = (reference: Reference, real: RunningEngine) => Promise<void>;

/** Resolves when nothing more happens by itself at this time. */
export async function quiet(real: RunningEngine): Promise<void> {
  for (let round = 0; round < 4; round++) await real.step(0);
}

export async function observe<T>(real: RunningEngine, call: Promise<T>): Promise<Observed<T>> {
  const answer = new Observed(call);
  await quiet(real);
  return answer;
}

/** The process is killed and started again. */
export async function crashBoth(
  reference: Reference,
  real: RunningEngine,
  ticks: number,
): Promise<void> {
  await real.crash(ticks * TICK);
  await quiet(real);
  reference.crash(reference.now + ticks * TICK);
  reference.settleDown();
  await learn(reference, real);
}
