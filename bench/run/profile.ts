import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Functions that are shown, and parts of the program. */
const FUNCTIONS = 20;
const PARTS = 12;

/** What took the most time by itself, functions and parts, of every CPU profile in a folder. */
export function topsOf(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  return files.map((name) => `\n${name}\n${topOf(join(folder, name))}`).join("");
}

function topOf(file: string): string {
  const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)") continue;
    const time = profile.timeDeltas[index] ?? 0;
    const path = shorten(frame.url);
    const place = path === "" ? "" : ` ${path}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || "(anonymous)"}${place}`, time);
    add(parts, path === "" ? frame.functionName : partOf(path), time);
    busy += time;
  }
  return `${largest(functions, FUNCTIONS, busy)}by part:\n${largest(parts, PARTS, busy)}`;
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time);
}

function largest(times: ReadonlyMap<string, number>, count: number, busy: number): string {
  const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, count);
  return sorted.map(([name, time]) => `${((100 * time) / busy).toFixed(1)} % ${name}\n`).join("");
}

/** A folder of ours, a package, or a module of Node. */
function partOf(path: string): string {
  if (path.startsWith("src/")) return path.split("/").slice(0, 3).slice(0, -1).join("/") || path;
  const names = path.split("/");
  return names.slice(0, path.startsWith("@") || path.startsWith("node:") ? 2 : 1).join("/");
}

/** Paths as they are in this repository. */
function shorten(url: string): string {
  return url.startsWith("file://")
    ? relative(process.cwd(), url.slice("file://".length)).replace(/^.*node_modules\//, "")
    : url;
}
