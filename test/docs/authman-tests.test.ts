import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../", import.meta.url);

test("every test that docs/authman-tests.md names is there", () => {
  const page = readFileSync(new URL("docs/authman-tests.md", ROOT), "utf8");
  let named = 0;
  for (const line of page.split("\n")) {
    // A file, and every quoted name up to the next file or the end of the row.
    for (const [, file = "", names = ""] of line.matchAll(/`(test\/[^`]+)`:([^`]*)/g)) {
      const source = readFileSync(new URL(file, ROOT), "utf8");
      for (const [, name] of names.matchAll(/"([^"]+)"/g)) {
        named++;
        const quoted = [`test("${name}"`, `"${name}":`, `test(\n      "${name}"`];
        assert.ok(
          quoted.some((text) => source.includes(text)),
          `${file}: ${name}`,
        );
      }
    }
  }
  assert.ok(named > 60);
});
