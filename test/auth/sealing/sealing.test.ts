import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createSealer } from "../../../src/auth/sealing/sealer.ts";

const first = { id: "k1", secret: randomBytes(32) };
const second = { id: "k2", secret: randomBytes(32) };
const context = ["social account", "facebook", "1"];

test("what was sealed opens again, and never looks the same twice", () => {
  const sealer = createSealer({ sealingKeys: [first] });
  const sealed = sealer.seal("token \u{1F511}", context);
  assert.equal(sealed.includes("token"), false);
  assert.notEqual(sealer.seal("token \u{1F511}", context), sealed);
  assert.equal(sealer.open(sealed, context), "token \u{1F511}");
  assert.equal(sealer.open(sealer.seal("", context), context), "");
});

test("what was sealed for one place does not open in another", () => {
  const sealer = createSealer({ sealingKeys: [first] });
  const sealed = sealer.seal("token", context);
  assert.equal(sealer.open(sealed, ["social account", "facebook", "2"]), undefined);
  assert.equal(sealer.open(sealed, ["social account", "facebook1", ""]), undefined);
  assert.equal(sealer.open(sealed, []), undefined);
});

test("what was changed does not open", () => {
  const sealer = createSealer({ sealingKeys: [first] });
  const sealed = sealer.seal("token", context);
  const body = sealed.slice("v1.k1.".length);
  const bytes = Buffer.from(body, "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(sealer.open(`v1.k1.${changed.toString("base64url")}`, context), undefined);
  }
  for (const text of ["", "v1.k1.", "v1.k1.AAAA", body, `v2.k1.${body}`, `v1..${body}`]) {
    assert.equal(sealer.open(text, context), undefined);
  }
});

test("a new key seals, and the old ones still open", () => {
  const sealed = createSealer({ sealingKeys: [first] }).seal("token", context);
  const rotated = createSealer({ sealingKeys: [second, first] });
  assert.equal(rotated.open(sealed, context), "token");
  assert.match(rotated.seal("token", context), /^v1\.k2\./);
  const without = createSealer({ sealingKeys: [second] });
  assert.equal(without.open(sealed, context), undefined);
});
