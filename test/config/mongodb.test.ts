import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { settingsPage } from "../../scripts/settings-page.ts";
import { type Config, parseConfig, settings } from "../../src/config/config.ts";
import type { Environment } from "../../src/config/environment.ts";

const URL_WITH_PASSWORD = "mongodb://usher:hunter2@db-1.example:27017,db-2.example/usher";
const key = randomBytes(32);
const other = randomBytes(32);

function parse(env: Environment, secretFile = "") {
  return parseConfig({ env, readSecretFile: () => secretFile });
}

function configOf(...given: Parameters<typeof parse>): Config {
  const parsed = parse(...given);
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return parsed.config;
}

function faultsOf(env: Environment): readonly string[] {
  const parsed = parse(env);
  return "faults" in parsed ? parsed.faults : [];
}

function onMongo(url: string): Environment {
  return { USHER_STORAGE: url, USHER_AUTH_SEALING_KEYS: key.toString("base64") };
}

describe("a storage in MongoDB", () => {
  const urls = [
    URL_WITH_PASSWORD,
    "mongodb://127.0.0.1:27017",
    "mongodb://[::1]:27017/",
    "mongodb://a,b,c/?replicaSet=rs0",
    "mongodb+srv://u%40x:p%2Fw@cluster.example/usher?retryWrites=true&w=majority",
    "mongodb://%2Ftmp%2Fmongodb-27017.sock/usher",
  ];
  for (const url of urls) {
    test(`is named by ${url}, kept to the letter`, () => {
      assert.deepEqual(configOf(onMongo(url)).storage, { kind: "mongodb", url });
    });
  }

  test("is named by a file, for a URL may have a password", () => {
    const env = { ...onMongo(""), USHER_STORAGE_FILE: "/run/secrets/storage" };
    const { storage } = configOf(env, `${URL_WITH_PASSWORD}\n`);
    assert.deepEqual(storage, { kind: "mongodb", url: URL_WITH_PASSWORD });
  });

  const wrong = [
    "mongodb://",
    "mongodb:/usher:hunter2@db.example/usher",
    "mongodb//usher:hunter2@db.example/usher",
    "mongo://usher:hunter2@db.example/usher",
    "usher:hunter2@db.example/usher",
    "MongoDB://usher:hunter2@db.example/usher",
    "mongodb://usher:hun@ter2@db.example/usher",
    "mongodb://usher:hun/ter2@db.example/usher",
    "mongodb://usher:hunter2@/usher",
    "mongodb://usher:hunter2@db.example/a/b",
    "mongodb://usher:hunter2@db.example/usher?a=b c",
    "mongodb://db.example?tlsCertificateKeyFilePassword=hunter2",
    '"mongodb://db.example/?tlsCertificateKeyFilePassword=hunter2"',
    "mongodb+srv://usher:hunter2@db.example\n",
  ];
  for (const url of wrong) {
    test(`is not named by ${JSON.stringify(url)}, and the fault tells no password`, () => {
      const [line = "", ...others] = faultsOf(onMongo(url));
      assert.match(
        line,
        /^USHER_STORAGE: found ".*"; allowed: sqlite:<folder>, or a mongodb:\/\/ /,
      );
      assert.doesNotMatch(line, /unter2|ter2|hun/);
      assert.deepEqual(others, []);
    });
  }
});

describe("sealing keys", () => {
  const keysOf = (text: string): readonly Uint8Array[] | undefined =>
    configOf({ USHER_AUTH_SEALING_KEYS: text }).auth.sealingKeys;

  test("are needed where the storage is MongoDB, and the fault says how to make one", () => {
    assert.deepEqual(faultsOf({ USHER_STORAGE: URL_WITH_PASSWORD }), [
      "auth.sealing_keys (USHER_AUTH_SEALING_KEYS): must be set where storage is MongoDB, to the same for every instance; `openssl rand -base64 32` makes a key",
    ]);
    assert.equal(configOf({}).auth.sealingKeys, undefined);
  });

  test("are read in base64, base64url and hex, in their order", () => {
    assert.deepEqual(keysOf(key.toString("base64")), [key]);
    assert.deepEqual(keysOf(key.toString("base64").replace("=", "")), [key]);
    assert.deepEqual(keysOf(key.toString("base64url")), [key]);
    assert.deepEqual(keysOf(key.toString("hex")), [key]);
    assert.deepEqual(keysOf(key.toString("hex").toUpperCase()), [key]);
    const both = `${other.toString("hex")} , ${key.toString("base64")},`;
    assert.deepEqual(keysOf(both), [other, key]);
  });

  test("come from a file, too", () => {
    const env = { USHER_AUTH_SEALING_KEYS_FILE: "/run/secrets/keys" };
    const file = `${key.toString("base64")},\n${other.toString("base64")}\n`;
    assert.deepEqual(configOf(env, file).auth.sealingKeys, [key, other]);
  });

  test("of another length or alphabet are refused by their place, and not shown", () => {
    const good = key.toString("base64");
    const wrong: [text: string, place: number][] = [
      [",", 1],
      ["hunter2", 1],
      [`${good},${randomBytes(31).toString("base64")}`, 2],
      [`${good},${good},${randomBytes(33).toString("base64")}`, 3],
      [randomBytes(16).toString("hex"), 1],
      [`${"-".repeat(20)}${"+".repeat(23)}`, 1],
      [`${good} ${good}`, 1],
    ];
    for (const [text, place] of wrong) {
      assert.deepEqual(faultsOf({ USHER_AUTH_SEALING_KEYS: text }), [
        `USHER_AUTH_SEALING_KEYS: key ${place} is not one of 32 bytes; allowed: one key of 32 bytes in base64, base64url or hex, or several with commas between; \`openssl rand -base64 32\` makes one`,
      ]);
    }
  });

  test("are told of as a secret on the settings page", () => {
    const row = settingsPage(settings)
      .split("\n")
      .find((line) => line.includes("`USHER_AUTH_SEALING_KEYS`"));
    assert.match(row ?? "", /\| not set \|.*\(a secret\)/);
  });
});
