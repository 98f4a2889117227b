import { type Argon2Parameters, argon2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { fromBase64, toBase64 } from "./base64.ts";
import { isEqual, LEAST_HASH_BYTES, type PasswordHash } from "./password-hash.ts";

/** The cost of a hash, for its maker and for one who guesses. */
export interface Argon2Cost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

const FORM =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const LEAST_SALT_BYTES = 8;
const MOST_MEMORY_KIB = 1024 ** 2;
/** Memory times passes. */
const MOST_WORK_KIB = 4 * MOST_MEMORY_KIB;
const MOST_LANES = 64;

const derive = promisify(argon2);

/** Hashes a password with a salt of its own. */
export async function hashByArgon2id(password: string, cost: Argon2Cost): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return encode(
    cost,
    salt,
    await derive("argon2id", toParameters(password, cost, salt, HASH_BYTES)),
  );
}

/** A hash of no password. A check against it costs as much as against a real one. */
export function argon2idOfNothing(cost: Argon2Cost): string {
  return encode(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
}

/** Whether a hash is as costly as it should be. */
export function isArgon2idOfCost(hash: string, { memoryKiB, passes, lanes }: Argon2Cost): boolean {
  return hash.startsWith(`$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$`);
}

/** argon2id version 19 in PHC form. */
export function parseArgon2id(text: string): PasswordHash | undefined {
  const [, memory, passes, lanes, saltText = "", hashText = ""] = FORM.exec(text) ?? [];
  const salt = fromBase64(saltText);
  const hash = fromBase64(hashText);
  const cost = { memoryKiB: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  if (!isBearable(cost) || salt === undefined || hash === undefined) return undefined;
  if (salt.length < LEAST_SALT_BYTES || hash.length < LEAST_HASH_BYTES) return undefined;
  return {
    async verify(password) {
      return isEqual(
        hash,
        await derive("argon2id", toParameters(password, cost, salt, hash.length)),
      );
    },
  };
}

function isBearable({ memoryKiB, passes, lanes }: Argon2Cost): boolean {
  return (
    passes >= 1 &&
    lanes >= 1 &&
    lanes <= MOST_LANES &&
    memoryKiB >= 8 * lanes &&
    memoryKiB <= MOST_MEMORY_KIB &&
    memoryKiB * passes <= MOST_WORK_KIB
  );
}

function encode({ memoryKiB, passes, lanes }: Argon2Cost, salt: Buffer, hash: Buffer): string {
  const cost = `m=${memoryKiB},t=${passes},p=${lanes}`;
  return `$argon2id$v=19$${cost}$${toBase64(salt)}$${toBase64(hash)}`;
}

function toParameters(
  password: string,
  { memoryKiB, passes, lanes }: Argon2Cost,
  salt: Buffer,
  tagLength: number,
): Argon2Parameters {
  const cost = { memory: memoryKiB, passes, parallelism: lanes };
  return { message: password, nonce: salt, tagLength, ...cost };
}
