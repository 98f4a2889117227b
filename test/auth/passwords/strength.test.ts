import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkNewPassword, type PasswordStrength } from "../../../src/auth/passwords/strength.ts";
import { type Reason, UsherError } from "../../../src/base/errors.ts";

async function refused(check: Promise<string>, reason: Reason): Promise<void> {
  await assert.rejects(check, (error) => {
    assert.ok(error instanceof UsherError);
    assert.equal(error.reason, reason);
    assert.equal(error.violations[0]?.field, "password");
    return true;
  });
}

/** For each level what just passes, and what just does not. */
const levels: Readonly<
  Record<PasswordStrength, { readonly strong: readonly string[]; readonly weak: readonly string[] }>
> = {
  none: { strong: ["x", "password"], weak: [""] },
  whocares: { strong: ["xy", "12"], weak: ["", "x"] },
  easy: { strong: ["abcde1", "Abcdef", "abcde "], weak: ["abcd1", "abcdef", "123456"] },
  common: {
    strong: ["xkcdfan1", "XKCDfans", "xkcd-fan", "correct horse"],
    weak: ["xkcdfa1", "xkcdfans", "12345678", ""],
  },
  moderate: {
    strong: ["Xkcdfanatic1", "xkcd-fanatic1"],
    weak: ["Xkcdfanatic", "xkcdfanatic1", "Xkcd-fanat1"],
  },
  violence: { strong: ["Xkcd-fanatics-01"], weak: ["Xkcd-fanatics-1", "Xkcd-fanatics-xx"] },
  nightmare: {
    strong: ["Xkcd-fanatics-for-ever-1"],
    weak: ["Xkcd-fanatics-for-eve-1", "xkcd-fanatics-for-ever-1"],
  },
};

describe("The levels of strength are authman's:", () => {
  for (const [level, { strong, weak }] of Object.entries(levels)) {
    test(level, async () => {
      const strength = level as PasswordStrength;
      for (const password of strong) {
        assert.equal(await checkNewPassword(strength, "password", password), password);
      }
      for (const password of weak) {
        await refused(checkNewPassword(strength, "password", password), "WEAK_PASSWORD");
      }
    });
  }
});

test("letters of every script count, and those without case as anything else", async () => {
  for (const password of ["пароль-да", "Парольда", "密码密码密码12", `${"\u{1f600}".repeat(7)}a`]) {
    await checkNewPassword("common", "password", password);
  }
  for (const password of ["парольда", "密码密码密码密码", "\u{1f600}".repeat(8), "١٢٣٤٥٦٧٨"]) {
    await refused(checkNewPassword("common", "password", password), "WEAK_PASSWORD");
  }
});

test("from common up a password that everybody knows is weak, in any letter case", async () => {
  for (const password of ["password1", "Password1", "Qwerty123", "TRUSTNO1", "iloveyou2"]) {
    await refused(checkNewPassword("common", "password", password), "WEAK_PASSWORD");
    await checkNewPassword("easy", "password", password);
  }
});

test("what counts is the NFKC form, of 256 code points at most", async () => {
  const strong = "\u{1f600}x".repeat(128);
  assert.equal(
    await checkNewPassword("nightmare", "password", `${strong.slice(0, -3)}A1`),
    `${strong.slice(0, -3)}A1`,
  );
  assert.equal(
    await checkNewPassword("none", "password", "e\u0301".repeat(256)),
    "\u00e9".repeat(256),
  );
  assert.equal(
    await checkNewPassword("none", "password", "\u{1100}\u{1161}\u{11a8}".repeat(256)),
    "각".repeat(256),
  );
  // Seven characters that are one before.
  await refused(checkNewPassword("common", "password", "\ufdfa"), "WEAK_PASSWORD");
  const tooLong = [`${strong}x`, "x".repeat(257), "x".repeat(1_000_000), "\ufdfa".repeat(100)];
  for (const password of [...tooLong, "abc\0defg1", "abcdefg1\ud800"]) {
    await refused(checkNewPassword("none", "password", password), "INVALID_PARAMS");
  }
});
