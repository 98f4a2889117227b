import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { transitions } from "../../src/queue/transitions.ts";

const page = readFileSync(new URL("../../docs/queue.md", import.meta.url), "utf8");

test("the diagram of docs/queue.md has the edges of the state machine, and no others", () => {
  const drawn = new Set<string>();
  for (const [, from, to] of page.matchAll(/^ {2}(\S+) --> ([^:\s]+):/gm)) {
    drawn.add(`${from === "[*]" ? "NONE" : from} -> ${to === "[*]" ? "DONE" : to}`);
  }
  const allowed = new Set<string>();
  for (const byState of Object.values(transitions)) {
    for (const [from, targets] of Object.entries(byState)) {
      for (const to of targets) allowed.add(`${from} -> ${to}`);
    }
  }
  assert.deepEqual([...drawn].sort(), [...allowed].sort());
});
