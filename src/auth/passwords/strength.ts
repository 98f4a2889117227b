import { invalid, UsherError } from "../../base/errors.ts";

/** What a password must have at least. */
interface Level {
  readonly length: number;
  /** Of lower case, upper case, digits, and everything else. */
  readonly groups: number;
  /** Whether it must not be one that everybody knows. */
  readonly uncommon: boolean;
}

/** The levels of tarantool-authman, with its numbers. */
const levels = {
  none: { length: 1, groups: 0, uncommon: false },
  whocares: { length: 2, groups: 1, uncommon: false },
  easy: { length: 6, groups: 2, uncommon: false },
  common: { length: 8, groups: 2, uncommon: true },
  moderate: { length: 12, groups: 3, uncommon: true },
  violence: { length: 16, groups: 4, uncommon: true },
  nightmare: { length: 24, groups: 4, uncommon: true },
} as const satisfies Readonly<Record<string, Level>>;

export type PasswordStrength = keyof typeof levels;

const LONGEST = 256;
/**
 * NFKC makes at most eighteen characters of one. A longer password is refused before it is
 * normalised.
 */
const LONGEST_BEFORE = 4 * LONGEST;

const groups = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{Ll}\p{Lu}\p{Nd}]/u];

/**
 * Checks a new password and gives it back in NFKC, the form in which it is hashed.
 * Throws WEAK_PASSWORD, and INVALID_PARAMS for one of more than 256 code points or with NUL.
 */
export async function checkNewPassword(
  strength: PasswordStrength,
  field: string,
  text: string,
): Promise<string> {
  if (text.length > LONGEST_BEFORE) throw tooLong(field);
  if (!text.isWellFormed()) throw invalid(field, "is not well-formed Unicode");
  if (text.includes("\0")) throw invalid(field, "must not contain NUL");
  const password = text.normalize("NFKC");
  const length = [...password].length;
  if (length > LONGEST) throw tooLong(field);

  const level = levels[strength];
  if (length < level.length) throw weak(field, `is shorter than ${level.length} characters`);
  const count = groups.filter((group) => group.test(password)).length;
  if (count < level.groups) {
    throw weak(
      field,
      `must have ${level.groups} of: lower case, upper case, digits, anything else`,
    );
  }
  if (level.uncommon && (await commonPasswords()).has(password.toLowerCase())) {
    throw weak(field, "is one of the passwords that are tried first");
  }
  return password;
}

function tooLong(field: string): UsherError {
  return invalid(field, `is longer than ${LONGEST} characters`);
}

function weak(field: string, description: string): UsherError {
  return new UsherError("WEAK_PASSWORD", {
    message: `${field}: ${description}`,
    violations: [{ field, description }],
  });
}

let common: Promise<ReadonlySet<string>> | undefined;

/** Some 18,000 that are long enough to matter, in lower case. Read at first use. */
function commonPasswords(): Promise<ReadonlySet<string>> {
  common ??= import("@zxcvbn-ts/language-common").then(({ dictionary }) => {
    const passwords: readonly string[] = dictionary["passwords-common"];
    return new Set(passwords.filter((password) => password.length >= levels.common.length));
  });
  return common;
}
