import { parseArgon2id } from "./argon2id.ts";
import { asAuthmanSha256, parseAuthmanSha256 } from "./authman-sha256.ts";
import { parseBcrypt } from "./bcrypt.ts";
import type { PasswordHash } from "./password-hash.ts";
import { parsePbkdf2 } from "./pbkdf2.ts";
import { parseScrypt } from "./scrypt.ts";

const parsers = [parseArgon2id, parseBcrypt, parseScrypt, parsePbkdf2, parseAuthmanSha256];

/** The checker for a stored hash. Undefined for an unknown form, or a cost that is too high. */
export function parseHash(text: string): PasswordHash | undefined {
  for (const parse of parsers) {
    const hash = parse(text);
    if (hash !== undefined) return hash;
  }
  return undefined;
}

/**
 * An imported hash in the form in which it is kept; undefined if it is of none of the known.
 * authman's 64 digits need the user's id, which salts them.
 */
export function parseImportedHash(text: string, userId: string): string | undefined {
  const bare = userId !== "" && /^[0-9a-fA-F]{64}$/.test(text);
  const hash = bare ? asAuthmanSha256(text, userId) : text;
  return parseHash(hash) === undefined ? undefined : hash;
}
