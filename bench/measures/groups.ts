import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import type { Bench } from "../run/bench.ts";
import { rateOf, runLoad } from "../run/load.ts";
import { type Contender, inTurns } from "../run/rounds.ts";
import { medianOf, plainRow, type Row, ratioRow } from "../run/rows.ts";
import { createTube, fill } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";

interface Shape {
  readonly tube: string;
  readonly groups: number;
  readonly each: number;
}

/** Tasks in a Take and in a BatchAck: one of each of the fewest groups. */
const BATCH = 10;

/** Whether a take costs the same however many tasks wait in how many groups. */
export async function groups(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const { quick } = bench.pace;
  const count = quick ? 1_000 : 5_000;
  const short: Shape = { tube: "short", groups: 10, each: 1_000 };
  const long: Shape = { tube: "long", groups: 10, each: quick ? 20_000 : 150_000 };
  const many: Shape = { tube: "many", groups: quick ? 50_000 : 100_000, each: 1 };
  const usher = await Usher.start(bench, stack);

  const contender = async (shape: Shape): Promise<Contender> => {
    const { tube, groups, each } = shape;
    const total = groups * each;
    bench.say(`putting ${total.toLocaleString("en-US")} tasks into groups`);
    await createTube(usher, tube, TubeKind.UTUBE);
    // A whole group before the next, so that whoever walks meets busy groups first.
    await fill(usher, tube, total, (index) => `g${Math.floor(index / each)}`);
    return {
      system: `Usher, ${groups.toLocaleString("en-US")} x ${each.toLocaleString("en-US")} tasks`,
      durable: USHER_DURABLE,
      async measure() {
        const load = { address: usher.grpcAddress, tube, batch: BATCH, count };
        const report = await runLoad("take-ack", { ...load, systemPids: [usher.pid] });
        // What was taken is put again, to the ends of the groups it was taken from.
        const taken = each === 1 ? 1 : count / groups;
        await fill(usher, tube, count, (index) =>
          each === 1 ? `again${index}` : `g${Math.floor(index / taken)}`,
        );
        return { ...rateOf(report), value: (report.seconds * 1e6) / report.operations };
      },
    };
  };

  const contenders = [await contender(long), await contender(many), await contender(short)];
  const measure = "UTUBE, take and ack of one task";
  const found = [...(await inTurns(bench, measure, "us", contenders)).values()];
  const base = found.at(-1);
  if (base === undefined) return [];
  const value = medianOf(base);
  return [
    ...found.slice(0, -1).map((one) => ratioRow(one, { name: base.system, value }, { most: 1.5 })),
    plainRow(base),
  ];
}
