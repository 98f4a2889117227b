import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Phases } from "../load/measured.ts";
import { cpuSecondsOf, Program } from "./process.ts";
import type { Span } from "./rounds.ts";
import type { Reading } from "./rows.ts";

/** What a load program prints when it is done: one line of JSON. */
export interface LoadReport {
  /** What was done within the measured time. */
  readonly operations: number;
  readonly seconds: number;
  /** Of the load program, within the measured time. */
  readonly cpuSeconds: number;
  /** Of the system, within the measured time; null where it cannot be known. */
  readonly systemCpuSeconds: number | null;
  /** Of single operations, in milliseconds, where that is what is measured. */
  readonly latency?: { readonly p50: number; readonly p99: number };
}

const GRACE_MS = 120_000;

/** Runs one of the programs in bench/load/ of this tree, or of `root`, with its options. */
export async function runLoad(
  program: string,
  options: object,
  root = fileURLToPath(new URL("../..", import.meta.url)),
): Promise<LoadReport> {
  const file = join(root, "bench/load", `${program}.ts`);
  const { output } = await Program.finish(process.execPath, [file, JSON.stringify(options)], {
    limitMs: GRACE_MS,
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as LoadReport;
}

/** Operations a second, with the CPU that the load and the system used. */
export function rateOf({ operations, seconds, cpuSeconds, systemCpuSeconds }: LoadReport): Reading {
  return {
    value: operations / seconds,
    loadCpu: cpuSeconds / seconds,
    systemCpu: systemCpuSeconds === null ? undefined : systemCpuSeconds / seconds,
  };
}

/** Begins to count; the answer is how many cores the processes used since then. */
export function watchCpu(pids: readonly number[]): () => number | undefined {
  const startedAt = performance.now();
  const before = total(pids);
  return () => {
    const after = total(pids);
    if (before === undefined || after === undefined) return undefined;
    return (after - before) / ((performance.now() - startedAt) / 1_000);
  };
}

function total(pids: readonly number[]): number | undefined {
  let sum = 0;
  for (const pid of pids) sum += cpuSecondsOf(pid) ?? Number.NaN;
  return Number.isNaN(sum) ? undefined : sum;
}

/** A span in the load programs' words. */
export function phases({ seconds, warmUpSeconds }: Span, systemPids: readonly number[]): Phases {
  return { measureMs: seconds * 1_000, warmUpMs: warmUpSeconds * 1_000, systemPids };
}
