import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);

/**
 * Checks that every test a page of docs/ names is in its file, and returns how many it names.
 * A page names them as a file in backticks, a colon, and quoted names up to the next file.
 */
export function checkNamedTests(path: string): number {
  let named = 0;
  for (const line of readFileSync(new URL(path, ROOT), "utf8").split("\n")) {
    for (const [, file = "", names = ""] of line.matchAll(/`(test\/[^`]+)`:([^`]*)/g)) {
      // A long name stands on a line of its own.
      const source = readFileSync(new URL(file, ROOT), "utf8").replace(/test\(\s+/g, "test(");
      for (const [, name] of names.matchAll(/"([^"]+)"/g)) {
        named++;
        const quoted = [`test("${name}"`, `test(\`${name}\``, `"${name}":`];
        assert.ok(
          quoted.some((text) => source.includes(text)),
          `${file}: ${name}`,
        );
      }
    }
  }
  return named;
}
