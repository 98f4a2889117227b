import type { Bench } from "./bench.ts";
import type { Found, Reading } from "./rows.ts";

/** A system that is measured, together with the load on it. */
export interface Contender {
  readonly system: string;
  /** What is on disk when it answers. */
  readonly durable: string;
  /** What it is measured in, where that is not what the others are. */
  readonly unit?: string;
  /** One round. */
  measure(span: Span): Promise<Reading>;
}

/** A system that is not here, and why. */
export interface Absent {
  readonly system: string;
  readonly missing: string;
}

export interface Span {
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** For systems that the shortest rounds are too short for. */
export function atLeast({ seconds, warmUpSeconds }: Span): Span {
  return { seconds: Math.max(1, seconds), warmUpSeconds: Math.max(0.5, warmUpSeconds) };
}

export function isHere(one: Contender | Absent): one is Contender {
  return !("missing" in one);
}

/**
 * Measures in turns, a round of each, so that what the machine does meanwhile meets all of them
 * alike. A first round that does not count lets every system warm up.
 */
export async function inTurns(
  { pace, say }: Bench,
  measure: string,
  unit: string,
  contenders: readonly Contender[],
): Promise<Map<string, Found>> {
  const readings = new Map<Contender, Reading[]>(contenders.map((one) => [one, []]));
  for (let round = 0; round <= pace.rounds; round++) {
    for (const [contender, taken] of readings) {
      const { seconds, warmUpSeconds } = pace;
      const reading = await contender.measure({ seconds, warmUpSeconds });
      if (round > 0) taken.push(reading);
    }
    say(`${measure}: ${round === 0 ? "warm" : `round ${round} of ${pace.rounds}`}`);
  }
  return new Map(
    contenders.map((one) => [
      one.system,
      {
        measure,
        system: one.system,
        unit: one.unit ?? unit,
        durable: one.durable,
        readings: readings.get(one) ?? [],
      },
    ]),
  );
}
