import fc from "fast-check";
import { type TubeKind, type TubeSettings, tubeKinds } from "../../../src/queue/repository.ts";
import type { TaskToPut } from "./reference-tube.ts";

/** Every time of a run is a multiple of this, in milliseconds. */
export const TICK = 1_000;

/** Few of each, so that they meet. */
export const tubeNames = ["t0", "t1", "t2"] as const;

export interface NewTubeCase {
  readonly kind: TubeKind;
  readonly temporary: boolean;
  readonly settings: TubeSettings;
}

function ticks(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min, max }).map((count) => count * TICK);
}

function sometimes<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 1 });
}

export const waitMs = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, ticks(1, 4));
export const pick = fc.nat({ max: 30 });
export const someTicks = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.constant(61) },
);
export const durationMs = ticks(1, 4);
export const delayMs = sometimes(ticks(0, 3));
export const sessionTtlMs = ticks(3, 8);

const allSettings: fc.Arbitrary<TubeSettings> = fc.record({
  capacity: fc.integer({ min: 1, max: 4 }),
  defaultPriority: fc.integer({ min: 0, max: 2 }),
  defaultTtlMs: fc.constantFrom(Infinity, Infinity, 4 * TICK, 10 * TICK),
  defaultTtrMs: fc.constantFrom(Infinity, 2 * TICK, 5 * TICK),
  defaultDelayMs: fc.constantFrom(0, 0, TICK),
  maxAttempts: fc.integer({ min: 0, max: 3 }),
  retryBackoff: fc.constantFrom(undefined, { initialMs: TICK, maxMs: 4 * TICK, multiplier: 2 }),
  dedupWindowMs: fc.constantFrom(0, 5 * TICK),
});

/** What of these settings a tube of the kind has. */
export function fitSettings(kind: TubeKind, settings: TubeSettings): TubeSettings {
  const capacity = kind === "LIMFIFOTTL" ? settings.capacity : 0;
  if (kind !== "FIFO" && kind !== "UTUBE") return { ...settings, capacity };
  return {
    capacity,
    defaultPriority: 0,
    defaultTtlMs: Infinity,
    defaultTtrMs: Infinity,
    defaultDelayMs: 0,
    maxAttempts: settings.maxAttempts,
    retryBackoff: undefined,
    dedupWindowMs: settings.dedupWindowMs,
  };
}

export const settings = allSettings;

export const newTube: fc.Arbitrary<NewTubeCase> = fc
  .record({
    kind: fc.constantFrom(...tubeKinds),
    temporary: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
    settings: allSettings,
  })
  .map((tube) => ({ ...tube, settings: fitSettings(tube.kind, tube.settings) }));

export type TaskCase = Omit<TaskToPut, "label">;

const task: fc.Arbitrary<TaskCase> = fc.record({
  priority: sometimes(fc.integer({ min: 0, max: 2 })),
  delayMs: sometimes(ticks(0, 2)),
  ttlMs: sometimes(ticks(2, 9)),
  ttrMs: sometimes(ticks(1, 4)),
  group: fc.constantFrom("", "a", "b"),
  dedupKey: fc.constantFrom("", "", "", "k", "l"),
});

export const tasks = fc.array(task, { minLength: 1, maxLength: 4 });

/** What of this task a tube of the kind has. */
export function fitTask(kind: TubeKind, given: TaskCase, label: string): TaskToPut {
  const grouped = kind === "UTUBE" || kind === "UTUBETTL";
  const group = grouped ? given.group : "";
  if (kind !== "FIFO" && kind !== "UTUBE") return { ...given, label, group };
  const untimed = { priority: undefined, delayMs: undefined, ttlMs: undefined, ttrMs: undefined };
  return { ...given, ...untimed, label, group };
}

export interface SettlementCase {
  readonly kind: "ack" | "release" | "bury" | "touch";
  readonly pick: number;
  readonly delayMs: number | undefined;
  readonly extendMs: number;
}

export const settlement: fc.Arbitrary<SettlementCase> = fc.record({
  kind: fc.constantFrom("ack", "ack", "release", "release", "bury", "touch"),
  pick,
  delayMs,
  extendMs: durationMs,
});
