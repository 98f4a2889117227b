import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { authSuite } from "../conformance/auth/suite.ts";

test("every obligation of AuthRepository has a conformance case of the same words", () => {
  const source = readFileSync(new URL("../../src/auth/repository.ts", import.meta.url), "utf8");
  const obligations = [...source.matchAll(/^ +\* - (.+)$/gm)].map(([, words]) => words);
  const cases = Object.values(authSuite).flatMap((topic) => Object.keys(topic));
  assert.deepEqual(cases.sort(), obligations.sort());
});
