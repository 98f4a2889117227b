import { randomInt } from "node:crypto";

/** Ids count from here, so that they have fifteen digits until 2055. */
const EPOCH_MS = Date.UTC(2024, 0, 1);
const PER_MS = 1_000;

let last = 0;

/**
 * A number above all that this process gave before, and above those that others gave in an earlier
 * millisecond as far as the machines' clocks agree. A sequence in the database would be exact, but
 * every sign-in of the service would wait for its one document. Two processes may hit on the same
 * number in one millisecond: a unique index refuses it where it has to be unique.
 */
export function nextTimeOrderedId(): number {
  last = Math.max(last + 1, (Date.now() - EPOCH_MS) * PER_MS + randomInt(PER_MS));
  return last;
}
