import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/config.ts";

interface Compose {
  readonly services: Readonly<Record<string, { readonly environment?: Record<string, string> }>>;
}

const FILE = new URL("../../examples/mongodb/compose.yaml", import.meta.url);
const PAGE = new URL("../../docs/mongodb.md", import.meta.url);

test("the compose file gives three instances settings that the server takes", () => {
  const { services } = parse(readFileSync(FILE, "utf8"), { merge: true }) as Compose;
  const instances = Object.entries(services).filter(([name]) => name.startsWith("usher"));
  assert.equal(instances.length, 3);
  const advertised = instances.map(([name, { environment = {} }]) => {
    const key = randomBytes(32).toString("base64");
    const env = { ...environment, USHER_AUTH_SEALING_KEYS: key };
    assert.match(environment["USHER_AUTH_SEALING_KEYS"] ?? "", /^\$\{USHER_AUTH_SEALING_KEYS:\?/);
    const parsed = parseConfig({ env, readSecretFile: () => "" });
    assert.ok("config" in parsed, `${name}: ${"faults" in parsed && parsed.faults.join("; ")}`);
    assert.deepEqual(parsed.config.storage.kind, "mongodb");
    return parsed.config.cluster.advertise;
  });
  assert.equal(new Set(advertised).size, 3, "each is reached at an address of its own");
});

test("the page names settings, files and pages that there are", () => {
  const page = readFileSync(PAGE, "utf8");
  for (const [, link = ""] of page.matchAll(/\]\(([^)#]+)\)/g)) {
    assert.ok(existsSync(new URL(link, PAGE)), link);
  }
  const settings = readFileSync(new URL("settings.md", PAGE), "utf8");
  for (const [name] of page.matchAll(/USHER_[A-Z_]+/g)) {
    assert.ok(settings.includes(name.replace(/_FILE$/, "")), name);
  }
});
