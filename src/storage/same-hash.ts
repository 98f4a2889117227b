import { timingSafeEqual } from "node:crypto";

/** Whether a stored hash is this one, told in the same time for every other. */
export function isSameHash(stored: Uint8Array, hash: Uint8Array): boolean {
  return stored.length === hash.length && timingSafeEqual(stored, hash);
}
