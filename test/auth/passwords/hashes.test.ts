import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseHash, parseImportedHash } from "../../../src/auth/passwords/hashes.ts";

const PASSWORD = "pass wörd";
const USER_ID = "c3a1b2d4-0000-4000-8000-000000000001";
const DIGITS = "1f9f701b7388eb39d535bb40e1d1dbc914e40a7a03f23d9d490da04b2824f83a";

/** Of PASSWORD, made by other programs: argon2-cffi, libxcrypt, passlib, and by hand. */
const hashes = {
  argon2id:
    "$argon2id$v=19$m=256,t=3,p=4$J19zif3G+0qyi8B+q86iTQ$jl4T4yM54jeQTViDOglxX9w/2l2XtIsqKcjVhwJ0kNg",
  "bcrypt 2a": "$2a$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO",
  "bcrypt 2b": "$2b$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO",
  "bcrypt 2y": "$2y$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO",
  "scrypt, PHC":
    "$scrypt$ln=10,r=8,p=2$COEcQwiBsBZCKKVUKqVUCg$OYOQ+XIIIG/1jIl2wPLSpp5yrKFc9zSF3w92t4u5KpI",
  "scrypt, crypt": "$7$66..../....SodiumChloride$sE72S6QqEVzAMvrUqJDwZ3eda/tC.vWAeSrUjZddHQ5",
  "pbkdf2 with SHA-1": "$pbkdf2$1000$/p.z9p7TWuu91/r/P2dszQ$YNGEw/i3Dqz3Mn/kCdie.dqUeYA",
  "pbkdf2 with SHA-256":
    "$pbkdf2-sha256$1000$Z.w9hxCC8B5DaI2xNkaIcQ$SEUb2YVon1d9EKQhixJa7S6m8nJpR2NjBFvGX.CvkPU",
  "pbkdf2 with SHA-256, PHC":
    "$pbkdf2-sha256$i=1000,l=32$Z+w9hxCC8B5DaI2xNkaIcQ$SEUb2YVon1d9EKQhixJa7S6m8nJpR2NjBFvGX+CvkPU",
  "pbkdf2 with SHA-512":
    "$pbkdf2-sha512$1000$F4JwrnXOGeMc45wzZmytlQ$FWbQ5PrzhsdxuOcRBRYW3Cn9P3tjj.FFz0YiKPof.5EUfS.l4rlX5vmi9alMUcx7/8bTSQF9l52aW17iw2IWbw",
  "authman's sha256": `$sha256$${USER_ID}$${DIGITS}`,
};

describe("A hash of another system is checked as that system would:", () => {
  for (const [form, hash] of Object.entries(hashes)) {
    test(form, async () => {
      const parsed = parseHash(hash);
      assert.ok(parsed);
      assert.equal(await parsed.verify(PASSWORD), true);
      for (const wrong of ["", "pass word", `${PASSWORD} `, PASSWORD.toUpperCase()]) {
        assert.equal(await parsed.verify(wrong), false);
      }
      const other = hash.slice(0, -3) + (hash.at(-3) === "a" ? "b" : "a") + hash.slice(-2);
      assert.equal(await parseHash(other)?.verify(PASSWORD), false);
    });
  }
});

test("authman's bare digits are salted with the user's id", async () => {
  const hash = parseImportedHash(DIGITS.toUpperCase(), USER_ID);
  assert.equal(hash, hashes["authman's sha256"]);
  assert.equal(parseImportedHash(DIGITS, ""), undefined);
  assert.equal(parseImportedHash(hashes["bcrypt 2a"], ""), hashes["bcrypt 2a"]);
});

describe("A hash that cannot be checked, or costs too much to check, is none:", () => {
  const salt = "Z+w9hxCC8B5DaI2xNkaIcQ";
  const hash = "SEUb2YVon1d9EKQhixJa7S6m8nJpR2NjBFvGX+CvkPU";
  const wrong = {
    nothing: "",
    "a password": "secret",
    "another argon2": `$argon2i$v=19$m=256,t=3,p=4$${salt}$${hash}`,
    "an older argon2": `$argon2id$m=256,t=3,p=4$${salt}$${hash}`,
    "argon2 without passes": `$argon2id$v=19$m=256,t=0,p=4$${salt}$${hash}`,
    "argon2 with less memory than its lanes need": `$argon2id$v=19$m=16,t=1,p=4$${salt}$${hash}`,
    "argon2 with 2 GiB": `$argon2id$v=19$m=2097152,t=1,p=1$${salt}$${hash}`,
    "argon2 with 4096 passes": `$argon2id$v=19$m=65536,t=4096,p=1$${salt}$${hash}`,
    "argon2 with a secret key": `$argon2id$v=19$m=256,t=3,p=4,keyid=x$${salt}$${hash}`,
    "argon2 with a short hash": `$argon2id$v=19$m=256,t=3,p=4$${salt}$YWJj`,
    "argon2 with a short salt": `$argon2id$v=19$m=256,t=3,p=4$YWJj$${hash}`,
    "argon2 with half a byte": `$argon2id$v=19$m=256,t=3,p=4$${salt}$${hash}AA`,
    "bcrypt of faulty PHP": hashes["bcrypt 2a"].replace("2a", "2x"),
    "bcrypt of cost 31": hashes["bcrypt 2a"].replace("$04$", "$31$"),
    "bcrypt of cost 3": hashes["bcrypt 2a"].replace("$04$", "$03$"),
    "a cut bcrypt": hashes["bcrypt 2a"].slice(0, -1),
    "scrypt with 4 GiB": `$scrypt$ln=22,r=8,p=1$${salt}$${hash}`,
    "scrypt with a thousand lanes": `$scrypt$ln=16,r=8,p=1000$${salt}$${hash}`,
    "scrypt of cost 0": `$scrypt$ln=0,r=8,p=1$${salt}$${hash}`,
    "scrypt without blocks": `$scrypt$ln=10,r=0,p=1$${salt}$${hash}`,
    "pbkdf2 of 99 million rounds": `$pbkdf2-sha256$99000000$${salt}$${hash}`,
    "pbkdf2 of no rounds": `$pbkdf2-sha256$0$${salt}$${hash}`,
    "pbkdf2 with MD5": `$pbkdf2-md5$1000$${salt}$${hash}`,
    "pbkdf2 of another length": `$pbkdf2-sha256$i=1000,l=20$${salt}$${hash}`,
    "Unix MD5": "$1$Sodium$nNVYVGhiRGRWYWnEpd2RY1",
    "sha256 of 63 digits": `$sha256$x$${DIGITS.slice(1)}`,
    "sha256 without salt": `$sha256$$${DIGITS}`,
    "a line after it": `${hashes.argon2id}\n`,
  };
  for (const [words, text] of Object.entries(wrong)) {
    test(words, () => assert.equal(parseImportedHash(text, "user"), undefined));
  }
});
