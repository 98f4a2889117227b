import { env } from "node:process";
import fc from "fast-check";

/** Set to run other cases than the usual ones, and to run more of them. */
const SEED = env["USHER_TEST_SEED"];
const RUNS_FACTOR = env["USHER_TEST_RUNS"];

/**
 * How a property runs: the same cases every time, unless the environment names another seed, and
 * no new ones after half a minute. USHER_TEST_RUNS multiplies the number of cases and lifts the
 * limit of time. A failure prints seed and path.
 */
export function runParameters(usualRuns: number) {
  return {
    seed: Number(SEED ?? 20_260_101),
    numRuns: usualRuns * Number(RUNS_FACTOR ?? 1),
    ...(RUNS_FACTOR === undefined && { interruptAfterTimeLimit: 30_000 }),
  };
}

/** Checks that the predicate throws for no value. */
export function property<T>(values: fc.Arbitrary<T>, predicate: (value: T) => void): void {
  fc.assert(fc.property(values, predicate), runParameters(200));
}
