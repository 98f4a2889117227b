import { type BinaryLike, type ScryptOptions, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { fromBase64, fromCryptBytes, fromCryptNumber } from "./base64.ts";
import { isEqual, LEAST_HASH_BYTES, type PasswordHash } from "./password-hash.ts";

const PHC_FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/.]*={0,2})\$([A-Za-z0-9+/.]+={0,2})$/;

/** Cost, block size and lanes in crypt's own base 64, and the salt as it stands. */
const CRYPT_FORM =
  /^\$7\$([./A-Za-z0-9])([./A-Za-z0-9]{5})([./A-Za-z0-9]{5})([./A-Za-z0-9]+)\$([./A-Za-z0-9]{43})$/;

const MOST_COST_LOG = 24;
const MOST_HASH_BYTES = 128;
/** Of one lane. */
const MOST_MEMORY_BYTES = 1024 ** 3;
/** Of all lanes. */
const MOST_WORK_BYTES = 4 * MOST_MEMORY_BYTES;

const derive: (
  password: BinaryLike,
  salt: BinaryLike,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);

/** scrypt in PHC form or in the modular crypt form `$7$`. */
export function parseScrypt(text: string): PasswordHash | undefined {
  const phc = PHC_FORM.exec(text);
  if (phc !== null) {
    const [, ln, r, p, salt = "", hash = ""] = phc;
    return scryptHash(Number(ln), Number(r), Number(p), fromBase64(salt), fromBase64(hash));
  }
  const [form, ln = "", r = "", p = "", salt = "", hash = ""] = CRYPT_FORM.exec(text) ?? [];
  if (form === undefined) return undefined;
  const cost = [ln, r, p].map(fromCryptNumber) as [number, number, number];
  return scryptHash(...cost, Buffer.from(salt), fromCryptBytes(hash));
}

function scryptHash(
  costLog: number,
  blockSize: number,
  lanes: number,
  salt: Buffer | undefined,
  hash: Buffer | undefined,
): PasswordHash | undefined {
  if (salt === undefined || hash === undefined) return undefined;
  if (hash.length < LEAST_HASH_BYTES || hash.length > MOST_HASH_BYTES) return undefined;
  if (costLog < 1 || costLog > MOST_COST_LOG || blockSize < 1 || lanes < 1) return undefined;
  const cost = 2 ** costLog;
  const memory = 128 * blockSize * cost;
  if (memory > MOST_MEMORY_BYTES || memory * lanes > MOST_WORK_BYTES) return undefined;
  // Above what Node would allow by itself: all blocks, the lanes' own, and some to spare.
  const maxmem = memory + 128 * blockSize * (lanes + 2) + 1024 ** 2;
  const options = { cost, blockSize, parallelization: lanes, maxmem };
  return {
    async verify(password) {
      return isEqual(hash, await derive(password, salt, hash.length, options));
    },
  };
}
