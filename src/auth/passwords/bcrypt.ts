import { verify } from "@node-rs/bcrypt";
import type { PasswordHash } from "./password-hash.ts";

const FORM = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;
const LEAST_COST = 4;
/** bcrypt ignores the rest of a password. */
const LOOKS_AT_BYTES = 72;
/** Each more doubles the time; this one takes some ten seconds. */
const MOST_COST = 17;

/**
 * bcrypt as 2a, 2b or 2y. It looks at the first 72 bytes of a password alone. Not 2x: that marks
 * hashes of a fault in how some PHP took other letters than ASCII's.
 */
export function parseBcrypt(text: string): PasswordHash | undefined {
  const cost = Number(FORM.exec(text)?.[1]);
  if (!(cost >= LEAST_COST && cost <= MOST_COST)) return undefined;
  return { verify: (password) => verify(password, text), looksAtBytes: LOOKS_AT_BYTES };
}
