import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "./support/process.ts";

const REPORTER = new URL("reporter.ts", import.meta.url).href;

/** Runs test files of these contents by this repository's reporter. */
function run(t: TestContext, files: Readonly<Record<string, string>>, ci: boolean) {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "test"));
  for (const [name, content] of Object.entries(files)) {
    const imports = 'import { before, describe, test } from "node:test";\n';
    writeFileSync(join(folder, "test", `${name}.test.mjs`), imports + content);
  }
  const args = ["--test", `--test-reporter=${REPORTER}`, "test/*.test.mjs"];
  const env = { PATH: process.env["PATH"], CI: String(ci) };
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  return { status, stdout, last: stdout.trimEnd().split("\n").at(-1) };
}

const good = `test("one", () => {});
  describe("suite", () => { describe("inner", () => { test("two", () => {}); }); });
  test("parent", async (t) => { await t.test("three", () => {}); await t.test("four", () => {}); });`;

test("counts tests, not the suites and tests around them, over all files", (t) => {
  const { status, stdout, last } = run(t, { a: good, b: good }, true);
  assert.equal(status, 0);
  assert.equal(last, "8 passed, 0 failed");
  assert.match(stdout, /^ok {5}test\/a\.test\.mjs: 4 passed, 0 failed$/m);
});

test("tells a failure in full, with its names, place and stack, and counts it once", (t) => {
  const bad = `describe("suite", () => {
    test("bad", () => { console.log("a hint"); throw new Error("broken", { cause: new Error("why") }); });
  });`;
  const { status, stdout, last } = run(t, { bad, good }, false);
  assert.equal(status, 1);
  assert.equal(last, "4 passed, 1 failed");
  assert.match(stdout, /^ {2}FAILED suite > bad \(test\/bad\.test\.mjs:3:5\)$/m);
  assert.match(stdout, /Error: broken\n[\s\S]*bad\.test\.mjs:3:[\s\S]*\[cause\]: Error: why/);
  assert.match(stdout, /^ {4}a hint$/m);
});

test("a test that a helper in another file registers is of the file that was run", (t) => {
  const helper = `export function both(name, run) { test(name, run); test(name + ", again", run); }`;
  const uses = `import { both } from "./helper.test.mjs"; both("x", () => { throw new Error("broken"); });`;
  const { stdout, last } = run(t, { helper, uses, good }, false);
  assert.equal(last, "4 passed, 2 failed");
  assert.match(stdout, /^FAILED test\/uses\.test\.mjs: 0 passed, 2 failed$/m);
  assert.match(stdout, /^ {2}FAILED x, again \(test\/uses\.test\.mjs\)$/m);
});

test("a hook that fails and a file that cannot be loaded count as failures", (t) => {
  const hook = `describe("suite", () => { before(() => { throw new Error("no"); }); test("x", () => {}); });`;
  assert.equal(run(t, { hook }, false).last, "0 passed, 2 failed");
  const { status, stdout, last } = run(t, { broken: "this is no program", good }, false);
  assert.equal(status, 1);
  assert.equal(last, "4 passed, 1 failed");
  assert.match(stdout, /SyntaxError/);
});

const skipping = `test("later", { skip: "no database here" }, () => {});\n${good}`;

test("a skipped test is told with its reason and counted apart", (t) => {
  const { status, stdout, last } = run(t, { skipping }, false);
  assert.equal(status, 0);
  assert.equal(last, "4 passed, 0 failed, 1 skipped");
  assert.match(stdout, /^ {2}skipped later \(test\/skipping\.test\.mjs:2:1\): no database here$/m);
});

test("under CI a skipped test fails the run", (t) => {
  const { status, stdout, last } = run(t, { skipping }, true);
  assert.equal(status, 1);
  assert.equal(last, "4 passed, 0 failed, 1 skipped");
  assert.match(stdout, /^FAILED: tests were skipped under CI$/m);
});

test("a run without any test fails", (t) => {
  const { status, last } = run(t, { empty: "" }, false);
  assert.equal(status, 1);
  assert.match(last ?? "", /^\d passed, \d failed$/);
});
