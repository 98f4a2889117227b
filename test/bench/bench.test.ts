import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { missingRow, plainRow, type Row, ratioRow } from "../../bench/run/rows.ts";
import { table } from "../../bench/run/table.ts";
import { temporaryFolder } from "../support/process.ts";

const BENCH = new URL("../../bench/bench.ts", import.meta.url).pathname;

const found = {
  measure: "puts",
  system: "ours",
  unit: "calls/s",
  durable: "all of it",
  readings: [{ value: 300, loadCpu: 0.5 }, { value: 100, systemCpu: 1 }, { value: 200 }],
};

async function bench(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [BENCH, ...args]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}

test("a measure that is picked runs alone and writes its rows as JSON", async (t) => {
  const file = join(temporaryFolder(t), "rows.json");
  const flags = ["--quick", "--rounds", "1", "--seconds", "1", "--only", "batches"];
  const { code, output } = await bench(...flags, "--json", file);
  assert.equal(code, 0, output);
  const rows: Row[] = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(rows.length, 1);
  const [row] = rows;
  assert.equal(row?.measure, "BatchPut, Take, BatchAck of 100");
  assert.equal(row?.system, "Usher");
  assert.equal(row?.unit, "lifecycles/s");
  assert.ok((row?.value ?? 0) > 0);
  assert.match(row?.durable ?? "", /fsync/);
  assert.equal(row?.ratio_to, null);
  assert.equal(row?.ratio, null);
  assert.match(output, /BatchPut, Take, BatchAck of 100 +\| Usher/);
});

test("a measure that is not there, or a flag, is refused before anything is measured", async () => {
  const unknown = await bench("--only", "nothing");
  assert.equal(unknown.code, 2);
  assert.match(unknown.output, /no measure nothing/);
  const flag = await bench("--fast");
  assert.equal(flag.code, 2);
  assert.match(flag.output, /--quick/);
});

describe("a row", () => {
  test("has the median, the spread and the ratio to another system", () => {
    const row = ratioRow(found, { name: "theirs", value: 50 }, { least: 5 });
    assert.equal(row.value, 200);
    assert.deepEqual(row.spread, [100, 300]);
    assert.equal(row.ratio_to, "theirs");
    assert.equal(row.ratio, 4);
    assert.equal(row.goal, "at least 5");
    assert.equal(row.reached, false);
    assert.equal(row.load_cpu, 0.5);
    assert.equal(row.system_cpu, 1);
  });

  test("without a comparison is held to its goal itself", () => {
    assert.equal(plainRow(found, { most: 200 }).reached, true);
    assert.equal(plainRow(found, { most: 199 }).reached, false);
    assert.equal(plainRow(found).reached, null);
  });

  test("names a system that is missing, in the table too", () => {
    const row = missingRow("puts", "theirs", "calls/s", "not installed");
    assert.equal(row.value, null);
    assert.equal(row.missing, "not installed");
    assert.match(table([row]), /theirs +\| missing +\|.*not installed/);
  });
});

test("this tree is compared with a commit, which is checked out beside it and removed", async (t) => {
  const file = join(temporaryFolder(t), "rows.json");
  const flags = ["--rounds", "1", "--seconds", "1", "--only", "streams", "--against", "HEAD"];
  const { code, output } = await bench(...flags, "--json", file);
  assert.equal(code, 0, output);
  const [ours, theirs]: Row[] = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(ours?.system, "this tree");
  assert.equal(ours?.ratio_to, "HEAD");
  assert.ok((ours?.ratio ?? 0) > 0);
  assert.equal(theirs?.system, "HEAD");
  const { stdout } = spawnSync("git", ["worktree", "list"], { encoding: "utf8" });
  assert.doesNotMatch(stdout, /usher-bench/);
});

test("a commit that git does not know ends the comparison before anything is measured", async () => {
  const { code, output } = await bench("--only", "streams", "--against", "no-such-commit");
  assert.notEqual(code, 0);
  assert.match(output, /no-such-commit/);
});
