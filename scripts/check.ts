/**
 * Everything that is checked besides the tests: a line each, all of them, whatever fails. Arguments
 * choose checks by a part of their names: `npm run check -- lint types`.
 */
import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What came of a check; `note` is shown behind its name, `output` below if it failed. */
interface Outcome {
  readonly ok: boolean;
  readonly note?: string;
  readonly output?: string;
}

const checks: Readonly<Record<string, () => Outcome>> = {
  types: () => run("tsc", ["--noEmit"]),
  "lint, format and circles of imports": () => run("biome", ["ci", "--colors=off"]),
  "import directions": () => run("node", ["scripts/arrows.ts"]),
  "proto lint": () => run("buf", ["lint"]),
  "proto format": () => run("buf", ["format", "--diff", "--exit-code"]),
  "proto breaking changes": protoBreaking,
  "generated files are fresh": generatedFiles,
  "unused files, exports and dependencies": () => run("knip", ["--no-progress"]),
  "package-lock.json names no host": lockFile,
};

function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): Outcome {
  const child = spawnSync(command, args, { ...options, encoding: "utf8" });
  const output = `${child.stdout ?? ""}${child.stderr ?? ""}${child.error?.message ?? ""}`;
  return { ok: child.status === 0, output };
}

/** Compares proto/ with the main branch's, here or, in a fresh clone, on the remote. */
function protoBreaking(): Outcome {
  const main = ["main", "origin/main"].find(
    (branch) => git("ls-tree", "-r", "--name-only", branch, "proto").stdout.length > 0,
  );
  if (main === undefined)
    return { ok: true, note: "nothing to compare: no main branch with proto files" };
  const archive = git("archive", "--format=tar", main, "buf.yaml", "proto");
  const outcome = run("buf", ["breaking", "--against", "-#format=tar"], { input: archive.stdout });
  return { ...outcome, note: `against ${main}` };
}

function git(...args: readonly string[]) {
  return spawnSync("git", args, { maxBuffer: 64 * 1024 ** 2 });
}

/** Generates everything anew beside, so that the working tree need not be clean. */
function generatedFiles(): Outcome {
  const fresh = mkdtempSync(join(tmpdir(), "usher-generated-"));
  try {
    const generated = run("node", ["scripts/generate.ts", fresh]);
    if (!generated.ok) return generated;
    const paths = new Set([
      ...filesIn(join(fresh, "gen")).map((path) => join("gen", path)),
      ...filesIn("gen").map((path) => join("gen", path)),
      join("docs", "settings.md"),
    ]);
    const stale = [...paths].filter((path) => textOf(path) !== textOf(join(fresh, path)));
    const output = stale.map((path) => `${path} is not what is generated\n`).join("");
    return { ok: stale.length === 0, output: `${output}run: npm run generate\n` };
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => statSync(join(folder, path)).isFile());
}

function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** The lock file must install from whichever registry is configured. */
function lockFile(): Outcome {
  const lines = readFileSync("package-lock.json", "utf8").split("\n");
  const hosts = lines.filter((line) => line.includes('"resolved"'));
  return { ok: hosts.length === 0, output: hosts.join("\n") };
}

const wanted = process.argv.slice(2);
const chosen = Object.entries(checks).filter(
  ([name]) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
if (chosen.length === 0) {
  console.log(`No check is named like that; there are:\n${Object.keys(checks).join("\n")}`);
  process.exitCode = 2;
}
for (const [name, check] of chosen) {
  const { ok, note, output } = check();
  console.log(`${ok ? "ok    " : "FAILED"} ${name}${note === undefined ? "" : ` (${note})`}`);
  if (!ok) {
    console.log(output);
    process.exitCode = 1;
  }
}
