import type { Bench } from "./bench.ts";
import { type Absent, type Contender, inTurns, isHere } from "./rounds.ts";
import {
  type Found,
  type Goal,
  medianOf,
  missingRow,
  plainRow,
  type Row,
  ratioRow,
} from "./rows.ts";

export interface Comparison {
  readonly measure: string;
  readonly unit: string;
  /** Whose ratios to the others are shown. */
  readonly ours: Contender;
  readonly others: readonly (Contender | Absent)[];
  /** Of our value itself. */
  readonly goal?: Goal;
  /** Of the ratio to another one, by its name. */
  readonly goals?: Readonly<Record<string, Goal>>;
}

/** Measures ours and the others in turns: a row of ours for each of them, then their own. */
export async function compare(bench: Bench, comparison: Comparison): Promise<Row[]> {
  const { measure, unit, ours, others, goal, goals = {} } = comparison;
  const found = await inTurns(bench, measure, unit, [ours, ...others.filter(isHere)]);
  const own = found.get(ours.system);
  if (own === undefined) throw new Error(`${ours.system} was not measured`);
  const rows: Row[] = [];
  const rivals = [...found.values()].filter((one) => one !== own);
  if (goal !== undefined || rivals.length === 0) rows.push(plainRow(own, goal));
  for (const rival of rivals) {
    const base = { name: rival.system, value: medianOf(rival) };
    rows.push(ratioRow(own, base, goals[rival.system]));
  }
  return [...rows, ...plainRows(measure, unit, others, found)];
}

/** A row for each system, without ratios; those that are not here are named all the same. */
export function plainRows(
  measure: string,
  unit: string,
  systems: readonly (Contender | Absent)[],
  found: ReadonlyMap<string, Found>,
): Row[] {
  return systems.flatMap((one) => {
    if (!isHere(one)) return [missingRow(measure, one.system, unit, one.missing)];
    const its = found.get(one.system);
    return its === undefined ? [] : [plainRow(its)];
  });
}
