import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { authSuite } from "../conformance/auth/suite.ts";

test("every obligation of AuthRepository has a conformance case of the same words", () => {
  const folder = new URL("../../src/auth/repository/", import.meta.url);
  const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), "utf8"));
  const source = sources.join("\n");
  const obligations = [...source.matchAll(/^ +\* - (.+)$/gm)].map(([, words]) => words);
  const cases = Object.values(authSuite).flatMap((topic) => Object.keys(topic));
  assert.deepEqual(cases.sort(), obligations.sort());
});
