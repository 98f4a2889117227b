/** One line of what the bench found. The first six are what `--json` promises. */
export interface Row {
  readonly measure: string;
  readonly system: string;
  /** The median of the rounds; null where the system is missing. */
  readonly value: number | null;
  readonly unit: string;
  /** What `ratio` compares with: another system of the same measure, or null. */
  readonly ratio_to: string | null;
  /** `value` divided by the median of `ratio_to`. */
  readonly ratio: number | null;
  /** What was asked of the ratio, or of the value where there is no ratio. */
  readonly goal: string | null;
  /** Whether it came true; null where nothing was asked. */
  readonly reached: boolean | null;
  /** The smallest and the largest of the rounds. */
  readonly spread: readonly [number, number] | null;
  readonly rounds: number;
  /** What is on disk when the system answers. */
  readonly durable: string;
  /** Cores that the load generator and the system under it used, medians. */
  readonly load_cpu: number | null;
  readonly system_cpu: number | null;
  /** Why there is no value. */
  readonly missing: string | null;
}

/** What one round of one system gave. */
export interface Reading {
  readonly value: number;
  /** In cores: 1 is one core busy all the time. */
  readonly loadCpu?: number | undefined;
  readonly systemCpu?: number | undefined;
}

/** A bound for a ratio or a value. */
export interface Goal {
  readonly least?: number;
  readonly most?: number;
}

export interface Found {
  readonly measure: string;
  readonly system: string;
  readonly unit: string;
  readonly durable: string;
  readonly readings: readonly Reading[];
}

/** A row without a comparison. */
export function plainRow(found: Found, goal?: Goal): Row {
  const value = medianOf(found);
  return { ...rowOf(found, value), goal: goalText(goal), reached: meets(value, goal) };
}

/** A row that compares a system with another one; `base` is in the same unit. */
export function ratioRow(found: Found, base: { name: string; value: number }, goal?: Goal): Row {
  const value = medianOf(found);
  const ratio = value / base.value;
  return {
    ...rowOf(found, value),
    ratio_to: base.name,
    ratio,
    goal: goalText(goal),
    reached: meets(ratio, goal),
  };
}

/** A row that compares two systems by the median of the ratios of their rounds. */
export function pairedRow(found: Found, base: Found): Row {
  const ratios = found.readings.map(({ value }, round) => {
    return value / (base.readings[round]?.value ?? Number.NaN);
  });
  return { ...rowOf(found, medianOf(found)), ratio_to: base.system, ratio: median(ratios) };
}

/** A row that names what could not be measured, and why. */
export function missingRow(measure: string, system: string, unit: string, missing: string): Row {
  const nothing = { measure, system, unit, durable: "", readings: [] };
  return { ...rowOf(nothing, null), missing };
}

function rowOf(found: Found, value: number | null): Row {
  const { measure, system, unit, durable, readings } = found;
  const values = readings.map((reading) => reading.value);
  return {
    measure,
    system,
    value,
    unit,
    ratio_to: null,
    ratio: null,
    goal: null,
    reached: null,
    spread: values.length > 1 ? [Math.min(...values), Math.max(...values)] : null,
    rounds: values.length,
    durable,
    load_cpu: medianOrNull(readings.map(({ loadCpu }) => loadCpu)),
    system_cpu: medianOrNull(readings.map(({ systemCpu }) => systemCpu)),
    missing: null,
  };
}

export function medianOf({ readings }: Pick<Found, "readings">): number {
  return median(readings.map(({ value }) => value));
}

/** NaN of nothing. */
function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which a share of the values is, between neighbours where it falls there. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

function medianOrNull(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? null : median(known);
}

function goalText(goal: Goal | undefined): string | null {
  if (goal?.least !== undefined) return `at least ${number(goal.least)}`;
  if (goal?.most !== undefined) return `at most ${number(goal.most)}`;
  return null;
}

function meets(value: number, goal: Goal | undefined): boolean | null {
  if (goal === undefined) return null;
  return value >= (goal.least ?? -Infinity) && value <= (goal.most ?? Infinity);
}

/** Three digits where there are fewer before the point, with separators for thousands. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
