import { createHash } from "node:crypto";
import { isEqual, type PasswordHash } from "./password-hash.ts";

/** `$sha256$<salt>$<64 hexadecimal digits>`. */
const FORM = /^\$sha256\$([^$]{1,64})\$([0-9a-f]{64})$/;

/**
 * tarantool-authman's hash: SHA-256 of the user's id and the password, one after the other. It is
 * cheap to guess, and gone at the first sign-in.
 */
export function parseAuthmanSha256(text: string): PasswordHash | undefined {
  const [form, salt = "", digits = ""] = FORM.exec(text) ?? [];
  if (form === undefined) return undefined;
  const hash = Buffer.from(digits, "hex");
  return {
    async verify(password) {
      return isEqual(hash, createHash("sha256").update(salt).update(password).digest());
    },
  };
}

/** The bare digits that authman keeps, with the user's id that salts them, in the form above. */
export function asAuthmanSha256(digits: string, userId: string): string {
  return `$sha256$${userId}$${digits.toLowerCase()}`;
}
