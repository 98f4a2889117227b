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

const SHOWN = 25;

/** What took the most time by itself, of every CPU profile in a folder. */
export function topsOf(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  return files.map((name) => `\n${name}\n${topOf(join(folder, name))}`).join("");
}

function topOf(file: string): string {
  const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === "" ? "" : ` ${shorten(url)}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"}${place}`];
    }),
  );
  const times = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? "";
    const time = profile.timeDeltas[index] ?? 0;
    if (name === "(idle)") continue;
    times.set(name, (times.get(name) ?? 0) + time);
    busy += time;
  }
  const tops = [...times].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  return tops.map(([name, time]) => `${((100 * time) / busy).toFixed(1)} % ${name}\n`).join("");
}

/** Paths as they are in this repository. */
function shorten(url: string): string {
  return url.startsWith("file://")
    ? relative(process.cwd(), url.slice("file://".length)).replace(/^.*node_modules\//, "")
    : url;
}
