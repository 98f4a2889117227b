import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createSealer } from "../../../src/auth/sealing/sealer.ts";
import { keyStoreOf } from "../../../src/auth/sealing/sealing-keys.ts";

const first = randomBytes(32);
const second = randomBytes(32);

test("the first key of a setting seals, and every one opens", () => {
  const before = createSealer(keyStoreOf([first]));
  const after = createSealer(keyStoreOf([second, first]));
  const old = before.seal("token", ["place"]);
  assert.equal(after.open(old, ["place"]), "token");
  const fresh = after.seal("token", ["place"]);
  assert.equal(before.open(fresh, ["place"]), undefined);
  assert.equal(createSealer(keyStoreOf([second])).open(fresh, ["place"]), "token");
});

test("a key has one id wherever it stands, of letters and digits, and unlike any other's", () => {
  const [id] = keyStoreOf([first]).sealingKeys.map((key) => key.id);
  assert.equal(keyStoreOf([second, Uint8Array.from(first)]).sealingKeys[1]?.id, id);
  assert.match(id ?? "", /^[A-Za-z0-9]+$/);
  assert.notEqual(keyStoreOf([second]).sealingKeys[0]?.id, id);
  assert.equal(first.toString("hex").includes(id ?? ""), false);
});

test("a setting without a key makes no store", () => {
  assert.throws(() => keyStoreOf([]), /no sealing key/);
});
