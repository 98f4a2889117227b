import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A copy of what the checks of imports read, to plant faults in. */
function copyOfSource(t: TestContext): string {
  const folder = temporaryFolder(t);
  for (const name of ["src", "scripts", "biome.json", "package.json", ".gitignore"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Runs the checks whose names have one of these parts, as `npm run check -- PART` does. */
function check(folder: string, ...parts: readonly string[]) {
  const { status, stdout } = spawnSync(process.execPath, ["scripts/check.ts", ...parts], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout };
}

test("the source has no circle of imports and none against the arrows", (t) => {
  const { status, stdout } = check(copyOfSource(t), "circles", "directions");
  assert.match(stdout, /^ok {4} .*circles of imports/m);
  assert.match(stdout, /^ok {4} import directions/m);
  assert.equal(status, 0);
});

test("a circle of imports fails the check, also one of types alone", (t) => {
  const folder = copyOfSource(t);
  appendFileSync(join(folder, "src/base/errors.ts"), 'export type { Clock } from "./clock.ts";\n');
  appendFileSync(join(folder, "src/base/clock.ts"), 'export type { Reason } from "./errors.ts";\n');
  const { status, stdout } = check(folder, "circles");
  assert.equal(status, 1);
  assert.match(stdout, /src\/base\/(errors|clock)\.ts.*noImportCycles/);
});

test("an import against the arrows fails the check, and the line names both ends", (t) => {
  const folder = copyOfSource(t);
  appendFileSync(
    join(folder, "src/base/errors.ts"),
    'export type { Config } from "../config/config.ts";\n',
  );
  const { status, stdout } = check(folder, "directions");
  assert.equal(status, 1);
  assert.match(stdout, /^src\/base\/errors\.ts imports src\/config\/config\.ts/m);
});

test("a database's driver outside of its storage fails the check", (t) => {
  const folder = copyOfSource(t);
  appendFileSync(join(folder, "src/auth/accounts.ts"), 'export type { Db } from "mongodb";\n');
  const { status, stdout } = check(folder, "directions");
  assert.equal(status, 1);
  assert.match(stdout, /^src\/auth\/accounts\.ts imports mongodb/m);
});

test("a file in a folder that no room is fails the check", (t) => {
  const folder = copyOfSource(t);
  cpSync(join(folder, "src/base/clock.ts"), join(folder, "src/misc/clock.ts"));
  const { status, stdout } = check(folder, "directions");
  assert.equal(status, 1);
  assert.match(stdout, /^src\/misc\/clock\.ts is in no room/m);
});
