import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emailKeyPrefix, parseEmail } from "../../../src/auth/accounts/email.ts";

function keyOf(text: string): string | undefined {
  return parseEmail(text)?.key;
}

describe("One account for one email:", () => {
  const same = [
    ["ann@example.com", "ANN@EXAMPLE.COM", " ann@Example.com  "],
    ["jos\u00e9@example.com", "jose\u0301@example.com", "JOS\u00c9@example.com"],
    ["ann@m\u00fcnchen.de", "ann@xn--mnchen-3ya.de", "ANN@M\u00dcNCHEN.DE", "ann@mu\u0308nchen.de"],
    ["\u03bf\u03b4\u03bf\u03c2@example.gr", "\u039f\u0394\u039f\u03a3@example.gr"],
    ["\u1e9e@example.com", "\u00df@example.com"],
    ["ann@example.com", "ann@example\u3002com"],
  ];
  for (const spellings of same) {
    test(`${JSON.stringify(spellings)} are one`, () => {
      const keys = spellings.map(keyOf);
      assert.equal(typeof keys[0], "string");
      assert.equal(new Set(keys).size, 1);
    });
  }

  const different = [
    ["ann@example.com", "ann@example.org"],
    ["ann@example.com", "an.n@example.com", "ann+a@example.com"],
    ["mike@example.com", "m\u0131ke@example.com"],
    ["mike@example.com", "m\u0456ke@example.com", "\uff4dike@example.com"],
    ["sam@example.com", "\u017fam@example.com"],
    ["strasse@example.com", "stra\u00dfe@example.com"],
    ["ann@a.b", "ann@ab"],
  ];
  for (const spellings of different) {
    test(`${JSON.stringify(spellings)} are different`, () => {
      assert.equal(new Set(spellings.map(keyOf)).size, spellings.length);
    });
  }
});

test("an address is kept as it was given, trimmed and composed", () => {
  const email = parseEmail(" Jose\u0301+Tag@M\u00fcnchen.DE ");
  assert.equal(email?.address, "Jos\u00e9+Tag@M\u00fcnchen.DE");
  assert.equal(email?.key, "jos\u00e9+tag@xn--mnchen-3ya.de");
});

describe("What is not an email is not taken:", () => {
  const wrong = {
    "no at sign": "ann.example.com",
    "no local part": "@example.com",
    "no domain": "ann@",
    "two at signs": "a@b@example.com",
    "a space inside": "ann lee@example.com",
    "a space in the domain": "ann@exam ple.com",
    NUL: "ann\0@example.com",
    "a line break": "ann\r\nbcc:bob@example.com",
    "a line feed at the end": "ann@example.com\n",
    "a tab before it": "\tann@example.com",
    "the Kelvin sign, which NFC makes a K": "\u212aate@example.com",
    "the Kelvin sign in the domain": "ann@\u212aayak.com",
    "a fullwidth letter in the domain": "ann@\uff45xample.com",
    "a long s in the domain": "ann@example.co\u017f",
    "160 KB of alternating combining marks": `a${"\u0315\u0300".repeat(40_000)}@example.com`,
    "an invisible character": "a\u200bnn@example.com",
    "a writing direction mark": "ann\u202e@example.com",
    "a lone surrogate": "ann\ud800@example.com",
    "a quoted local part": '"ann"@example.com',
    "a name before it": "Ann <ann@example.com>",
    "an empty label": "ann@example..com",
    "a dot at the end": "ann@example.com.",
    "a hyphen at the edge": "ann@-example.com",
    "an underscore in the domain": "ann@exa_mple.com",
    "a percent sign in the domain": "ann@exa%6Dple.com",
    "an address literal": "ann@[127.0.0.1]",
    "an IP address": "ann@127.0.0.1",
    "a number that URLs take for an IP address": "ann@0x7f.1",
    "a label that is too long": `ann@${"x".repeat(64)}.com`,
    "255 characters": `${"x".repeat(243)}@example.com`,
    "a million characters": `${"x".repeat(1_000_000)}@example.com`,
    "a million dots": `ann@${".".repeat(1_000_000)}`,
  };
  for (const [words, text] of Object.entries(wrong)) {
    test(words, () => assert.equal(parseEmail(text), undefined));
  }
  test("but 254 characters are", () => assert.ok(parseEmail(`${"x".repeat(242)}@example.com`)));
});

test("of all of Unicode only ASCII characters become ASCII ones, wherever in an address", () => {
  const ascii = /^[\0-\x7f]*$/;
  const wrong: string[] = [];
  for (let code = 0x80; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const local = parseEmail(`a${character}@example.com`);
    if (local !== undefined && ascii.test(local.key)) wrong.push(`local ${code.toString(16)}`);
    const domain = parseEmail(`a@x${character}x.com`);
    // Three dots of other scripts are dots in domains; other letters make an `xn--` label.
    const isSame = domain !== undefined && !domain.key.includes("@xn--");
    if (isSame && !["a@x.x.com"].includes(domain.key)) wrong.push(`domain ${code.toString(16)}`);
  }
  assert.deepEqual(wrong, []);
});

test("a prefix is never parsed as a whole domain", () => {
  const key = parseEmail("bob@163.com")?.key ?? "";
  for (let length = 1; length <= key.length; length++) {
    const prefix = emailKeyPrefix(key.slice(0, length));
    assert.ok(key.startsWith(prefix), prefix);
    assert.equal(prefix.length, length);
  }
  assert.equal(emailKeyPrefix("Ann@0x7f"), "ann@0x7f");
  assert.equal(emailKeyPrefix("ann@M\u00fcnchen.de"), "ann@xn--mnchen-3ya.de");
});
