/** `npm run bench`: Usher and its peers side by side, as one table of rows with ratios. */
import { mkdirSync, writeFileSync } from "node:fs";
import { against } from "./measures/against.ts";
import { measures as all } from "./measures/measures.ts";
import { machine } from "./run/machine.ts";
import { type Options, readOptions, USAGE } from "./run/options.ts";
import { topsOf } from "./run/profile.ts";
import type { Row } from "./run/rows.ts";
import { table } from "./run/table.ts";

async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const { only, json, pace, profile } = options;
  const measures = options.against === undefined ? all : against(options.against);
  if (options.list) {
    process.stdout.write(measures.map(({ name }) => `${name}\n`).join(""));
    return 0;
  }
  const unknown = only.filter((name) => !measures.some((measure) => measure.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no measure ${unknown.join(", ")}; see --list\n`);
    return 2;
  }
  const heading = machine();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (profile !== undefined) mkdirSync(profile, { recursive: true });
  const rows: Row[] = [];
  for (const measure of measures) {
    if (only.length > 0 && !only.includes(measure.name)) continue;
    const startedAt = performance.now();
    rows.push(...(await measure.run({ pace, profileFolder: profile, say })));
    say(`${measure.name} took ${((performance.now() - startedAt) / 1_000).toFixed(1)} s\n`);
  }
  process.stdout.write(`${heading}\n\n${table(rows)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
  if (profile !== undefined) process.stdout.write(topsOf(profile));
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
