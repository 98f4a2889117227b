import { timingSafeEqual } from "node:crypto";

/** A stored hash that passwords can be checked against. */
export interface PasswordHash {
  /** Whether it is the hash of this password, exactly as given. Works off the event loop. */
  verify(password: string): Promise<boolean>;
  /** How many bytes of a password it looks at. Undefined: all. */
  readonly looksAtBytes?: number;
}

/** Hashes shorter than this prove too little. */
export const LEAST_HASH_BYTES = 16;

/** Compares in the same time whatever differs. */
export function isEqual(hash: Uint8Array, other: Uint8Array): boolean {
  return hash.length === other.length && timingSafeEqual(hash, other);
}
