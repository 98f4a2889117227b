import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNamedTests } from "../support/named-tests.ts";

test("every test that docs/tarantool-queue-tests.md names is there", () => {
  assert.ok(checkNamedTests("docs/tarantool-queue-tests.md") > 80);
});
