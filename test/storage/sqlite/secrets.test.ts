import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StorageOpenError } from "../../../src/storage/open-error.ts";
import { openSealingKeys } from "../../../src/storage/sqlite/auth/sealing-keys.ts";

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "usher-keys-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a sealing key is made once and kept, readable by its owner alone", (t) => {
  const folder = newFolder(t);
  const [made] = openSealingKeys(folder).sealingKeys;
  assert.equal(made?.secret.length, 32);
  const file = join(folder, "sealing-keys.json");
  assert.deepEqual(readdirSync(folder), ["sealing-keys.json"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(openSealingKeys(folder).sealingKeys, [made]);
  const [other] = openSealingKeys(newFolder(t)).sealingKeys;
  assert.notDeepEqual(other, made);
});

test("a half-written file of a crash is not taken for the keys", (t) => {
  const folder = newFolder(t);
  writeFileSync(join(folder, "sealing-keys.json.new"), '{"keys":[{"id"', { mode: 0o600 });
  const { sealingKeys } = openSealingKeys(folder);
  assert.deepEqual(openSealingKeys(folder).sealingKeys, sealingKeys);
});

test("a damaged file stops the start, and no part of it is told", (t) => {
  const folder = newFolder(t);
  const file = join(folder, "sealing-keys.json");
  const secret = openSealingKeys(folder).sealingKeys[0]?.secret.slice(0, 24) ?? new Uint8Array();
  const short = Buffer.from(secret).toString("base64url");
  const whole = readFileSync(file, "utf8");
  const damaged = [
    "",
    "null",
    "[]",
    "{}",
    '{"keys":[]}',
    '{"keys":[null]}',
    whole.slice(0, -10),
    `{"keys":[{"id":"a","secret":"${short}"}]}`,
    `{"keys":[{"id":"../a","secret":"${Buffer.alloc(32).toString("base64url")}"}]}`,
    `secret ${short}`,
  ];
  for (const text of damaged) {
    writeFileSync(file, text);
    assert.throws(
      () => openSealingKeys(folder),
      (error) =>
        error instanceof StorageOpenError &&
        error.message.includes(file) &&
        !error.message.includes(short.slice(0, 6)),
    );
    assert.equal(readFileSync(file, "utf8"), text);
  }
});
