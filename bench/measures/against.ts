import type { Bench, Measure } from "../run/bench.ts";
import { checkOut } from "../run/earlier.ts";
import { H2LOAD_MISSING, hasH2Load } from "../run/h2load.ts";
import { type Contender, inTurns } from "../run/rounds.ts";
import { missingRow, pairedRow, plainRow, type Row } from "../run/rows.ts";
import { checkSessionContender } from "./check-session.ts";
import { clientContender } from "./client.ts";
import { streamsContender } from "./streams.ts";
import { putContender } from "./unary.ts";

interface Compared {
  readonly name: string;
  readonly measure: string;
  readonly unit: string;
  readonly needsH2Load: boolean;
  start(
    bench: Bench,
    stack: AsyncDisposableStack,
    system: string,
    root?: string,
  ): Promise<Contender>;
}

const compared: readonly Compared[] = [
  {
    name: "streams",
    measure: "put, take, ack by streams",
    unit: "lifecycles/s",
    needsH2Load: false,
    start: streamsContender,
  },
  {
    name: "client",
    measure: "client library, a handler call a task",
    unit: "lifecycles/s",
    needsH2Load: false,
    start: clientContender,
  },
  {
    name: "put",
    measure: "unary Put, 64 at once",
    unit: "calls/s",
    needsH2Load: true,
    start: putContender,
  },
  {
    name: "check-session",
    measure: "CheckSession, 64 at once",
    unit: "calls/s",
    needsH2Load: true,
    start: async (...args) => (await checkSessionContender(...args)).ours,
  },
];

/** This tree beside an earlier commit, by the measures that each change must not slow down. */
export function against(revision: string): readonly Measure[] {
  return compared.map(({ name, measure, unit, needsH2Load, start }) => ({
    name,
    async run(bench: Bench): Promise<Row[]> {
      if (needsH2Load && !hasH2Load()) {
        return [missingRow(measure, "this tree", unit, H2LOAD_MISSING)];
      }
      await using stack = new AsyncDisposableStack();
      const folder = checkOut(stack, revision);
      const now = await start(bench, stack, "this tree");
      const before = await start(bench, stack, revision, folder);
      const found = await inTurns(bench, measure, unit, [now, before]);
      const [ours, theirs] = [found.get(now.system), found.get(before.system)];
      if (ours === undefined || theirs === undefined) throw new Error("nothing was measured");
      return [pairedRow(ours, theirs), plainRow(theirs)];
    },
  }));
}
