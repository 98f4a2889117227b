import { test } from "node:test";
import fc from "fast-check";
import { runParameters } from "../support/property.ts";
import { newTube } from "./model/arbitraries.ts";
import { command } from "./model/commands.ts";
import { Reference } from "./model/reference.ts";
import { createTube } from "./model/tube-plays.ts";
import { RunningEngine } from "./running-engine.ts";

/**
 * Random operations on tubes of all kinds, clock steps, refused commits, clean restarts and kills
 * are done to the engine on real files and to a naive reference, which say the same after each:
 * no task lost, none leased twice, order and groups kept, capacity never passed, ids never used
 * again, fences growing, statistics equal.
 */
test("the engine does what the reference does, whatever is done to both", async (t) => {
  const tubes = fc.array(newTube, { minLength: 1, maxLength: 3 });
  const commands = fc.commands([command], { maxCommands: 150, size: "max" });
  const parameters = runParameters(120);
  t.diagnostic(`seed ${parameters.seed}, ${parameters.numRuns} runs`);
  const slowness = fc.nat({ max: 2 });
  const property = fc.asyncProperty(slowness, tubes, commands, async (slow, given, all) => {
    const real = new RunningEngine({
      slowness: slow,
      // Room for some payloads in memory, and no jitter.
      limits: { cacheBytes: 500 },
      random: () => 1 - Number.EPSILON,
    });
    await real.start();
    const reference = new Reference(real.clock.now());
    try {
      for (const [number, tube] of given.entries()) await createTube(number, tube)(reference, real);
      await fc.asyncModelRun(() => ({ model: reference, real }), all);
    } catch (cause) {
      throw new Error(["What was done:", ...reference.story].join("\n  "), { cause });
    } finally {
      await real.remove();
    }
  });
  await fc.assert(property, parameters);
});
