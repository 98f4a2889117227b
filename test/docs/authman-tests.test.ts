import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNamedTests } from "../support/named-tests.ts";

test("every test that docs/authman-tests.md names is there", () => {
  assert.ok(checkNamedTests("docs/authman-tests.md") > 60);
});
