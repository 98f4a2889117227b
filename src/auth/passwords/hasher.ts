import { availableParallelism } from "node:os";
import {
  type Argon2Cost,
  argon2idOfNothing,
  hashByArgon2id,
  isArgon2idOfCost,
} from "./argon2id.ts";
import { createGate, type Gate } from "./gate.ts";
import { parseHash } from "./hashes.ts";

/** Makes and checks hashes of passwords, off the event loop and a bounded number at once. */
export interface PasswordHasher {
  /** Hashes a password that is in NFKC. Throws OVERLOADED. */
  hash(password: string, signal?: AbortSignal): Promise<string>;
  /**
   * Checks a password, as given and in NFKC, against a stored hash. An empty hash never fits and
   * takes as long as a real one. Throws OVERLOADED.
   */
  check(password: string, hash: string, signal?: AbortSignal): Promise<PasswordCheck>;
}

export type PasswordCheck =
  | { readonly right: false }
  /** `newHash` is what to keep instead; undefined where the hash is as it should be. */
  | { readonly right: true; readonly newHash: string | undefined };

/** The work is done by libuv's threads, of which there are four: one stays free for other work. */
const MOST_AT_ONCE = 3;
const MOST_WAITING = 256;

export function createPasswordHasher(
  cost: Argon2Cost,
  gate: Gate = createGate({
    // One core stays free too, so that a storm of sign-ins does not slow down every other call.
    atOnce: Math.max(1, Math.min(MOST_AT_ONCE, availableParallelism() - 1)),
    waiting: MOST_WAITING,
  }),
): PasswordHasher {
  const nothing = argon2idOfNothing(cost);

  async function check(password: string, stored: string): Promise<PasswordCheck> {
    const hash = parseHash(stored === "" ? nothing : stored);
    // Our own hashes are of the NFKC form. Imported ones may be of the password as it was typed.
    const normal = password.normalize("NFKC");
    const byNormal = await hash?.verify(normal);
    const right = byNormal || (normal !== password && (await hash?.verify(password)));
    if (!right) return { right: false };
    const asItShouldBe = byNormal && isArgon2idOfCost(stored, cost);
    // Bytes that the old hash did not look at may be mistyped: they must not become the password.
    const isVerifiedWhole =
      Buffer.byteLength(byNormal ? normal : password) <= (hash?.looksAtBytes ?? Infinity);
    if (asItShouldBe || !isVerifiedWhole) return { right: true, newHash: undefined };
    const newHash = await hashByArgon2id(normal, cost);
    return { right: true, newHash };
  }

  return {
    hash: (password, signal) => gate.run(() => hashByArgon2id(password, cost), signal),
    check: (password, hash, signal) => gate.run(() => check(password, hash), signal),
  };
}
