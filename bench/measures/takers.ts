import type { Bench } from "../run/bench.ts";
import { rateOf, runLoad } from "../run/load.ts";
import { type Contender, inTurns } from "../run/rounds.ts";
import { medianOf, plainRow, type Row, ratioRow } from "../run/rows.ts";
import { createFifo } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";

const FEW = 10;
const MANY = 10_000;

/** From a put to the answer of the one who waits longest, with few and with many who wait. */
export async function takers(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack);
  const puts = bench.pace.quick ? 200 : 1_000;
  let round = 0;
  const contender = (count: number): Contender => ({
    system: `Usher, ${count.toLocaleString("en-US")} takers wait`,
    durable: USHER_DURABLE,
    async measure() {
      // What waits is cut off at the end of a round, and its tube is left alone.
      const tube = `takers-${round++}`;
      await createFifo(usher, tube);
      const load = { address: usher.grpcAddress, tube, takers: count, puts };
      const report = await runLoad("takers", { ...load, systemPids: [usher.pid] });
      return { ...rateOf(report), value: report.latency?.p50 ?? Number.NaN };
    },
  });
  const measure = "put to a waiting Take's answer, in order";
  const contenders = [contender(MANY), contender(FEW)];
  const [many, few] = [...(await inTurns(bench, measure, "ms", contenders)).values()];
  if (many === undefined || few === undefined) return [];
  return [ratioRow(many, { name: few.system, value: medianOf(few) }), plainRow(few)];
}
