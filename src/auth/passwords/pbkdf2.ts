import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { fromBase64 } from "./base64.ts";
import { isEqual, LEAST_HASH_BYTES, type PasswordHash } from "./password-hash.ts";

/** PHC (`i=29000`, `i=29000,l=32`) and passlib's modular crypt form (`29000`). */
const FORM =
  /^\$pbkdf2(?:-(sha1|sha224|sha256|sha384|sha512))?\$(?:i=)?(\d{1,8})(?:,l=(\d{1,3}))?\$([A-Za-z0-9+/.]*={0,2})\$([A-Za-z0-9+/.]+={0,2})$/;

const MOST_ITERATIONS = 10_000_000;
const MOST_HASH_BYTES = 128;

const derive = promisify(pbkdf2);

/** PBKDF2 with HMAC; the digest is SHA-1 where none is named. */
export function parsePbkdf2(text: string): PasswordHash | undefined {
  const [form, digest = "sha1", count, length, saltText = "", hashText = ""] =
    FORM.exec(text) ?? [];
  const iterations = Number(count);
  const salt = fromBase64(saltText);
  const hash = fromBase64(hashText);
  if (form === undefined || salt === undefined || hash === undefined) return undefined;
  if (iterations < 1 || iterations > MOST_ITERATIONS) return undefined;
  if (hash.length < LEAST_HASH_BYTES || hash.length > MOST_HASH_BYTES) return undefined;
  if (length !== undefined && Number(length) !== hash.length) return undefined;
  return {
    async verify(password) {
      return isEqual(hash, await derive(password, salt, iterations, hash.length, digest));
    },
  };
}
