import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Files and folders that a page names: in backticks from the root, or as a link. */
function pathsIn(page: string): string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const quoted = [
    ...text.matchAll(/`((?:src|test|proto|gen|docs|scripts|bench|examples|\.ci)\/[^`\s*]*)`/g),
  ];
  const linked = [...text.matchAll(/\]\(((?!https?:)[^)#]+)\)/g)];
  return [...quoted, ...linked].map(([, path = ""]) => path);
}

for (const page of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]) {
  test(`every file and folder that ${page} names is there`, () => {
    const paths = pathsIn(page);
    assert.ok(paths.length > 5);
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(ROOT, path))),
      [],
    );
  });
}
