import { randomUUIDv7 } from "node:crypto";
import { isIPv6, SocketAddress } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { AttemptSteps, NewAuditEvent } from "../repository.ts";

/** How long a failure counts. */
export const FAILURE_LIFE_MS = 15 * 60_000;
const ACCOUNT_LIMIT = 10;
const ADDRESS_LIMIT = 100;

/** A try that has not ended by then was cut off, and counts as failed. */
const LONGEST_TRY_MS = 60_000;

/** The most tries that may wait for others under way. */
const MOST_WAITING = 256;
/** How often a waiting try looks again: the tries before it may be another instance's. */
const LOOK_AGAIN_MS = 100;

/** What is tried: an account, from an address. */
export interface Attempt {
  /** An email key, of a user or not, or the id of a user without an email. */
  readonly account: string;
  /** The end user's; empty if it is not known. */
  readonly address: string;
}

/** Counts tries of passwords, so that nobody has more of them than the limits allow. */
export interface AttemptLimiter {
  /**
   * Reserves a try and returns its id. One of the other methods must end it. Simultaneous tries
   * wait for each other, so that the limit holds. Throws TOO_MANY_ATTEMPTS, OVERLOADED, and the
   * signal's reason.
   */
  begin(attempt: Attempt, signal?: AbortSignal): Promise<string>;
  /** The password was wrong: the try counts. Without an event that is all. */
  fail(id: string, event: NewAuditEvent | undefined): Promise<void>;
  /** The try ended without a wrong password and does not count. */
  release(id: string): Promise<void>;
  /** A step of the store has released the try. Those who wait for it may go on. */
  released(): void;
}

export function createAttemptLimiter(repository: AttemptSteps, clock: Clock): AttemptLimiter {
  const waiting = new Set<() => void>();
  /**
   * How many tries have ended here. A try may end while the store is asked, when nobody waits yet.
   */
  let ended = 0;

  /** Resolves when a try has ended, or might have. */
  async function change(signal: AbortSignal | undefined): Promise<void> {
    if (waiting.size >= MOST_WAITING) {
      throw new UsherError("OVERLOADED", { retryAfterMs: LOOK_AGAIN_MS });
    }
    signal?.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const goOn = (): void => resolve();
    waiting.add(goOn);
    signal?.addEventListener("abort", goOn);
    const cancel = clock.after(LOOK_AGAIN_MS, goOn);
    await promise;
    waiting.delete(goOn);
    signal?.removeEventListener("abort", goOn);
    cancel();
  }

  function released(): void {
    ended++;
    for (const goOn of waiting) goOn();
  }

  return {
    async begin({ account, address }, signal) {
      const id = randomUUIDv7();
      for (;;) {
        signal?.throwIfAborted();
        const now = clock.now();
        const endedBefore = ended;
        const reserved = await repository.reserveAttempt({
          id,
          account,
          address: networkOf(address),
          now,
          pendingUntil: now + LONGEST_TRY_MS,
          windowMs: FAILURE_LIFE_MS,
          accountLimit: ACCOUNT_LIMIT,
          addressLimit: ADDRESS_LIMIT,
        });
        switch (reserved.outcome) {
          case "reserved":
            return id;
          case "locked":
            throw new UsherError("TOO_MANY_ATTEMPTS", { retryAfterMs: reserved.retryAfterMs });
          case "busy":
            if (ended === endedBefore) await change(signal);
        }
      }
    },

    async fail(id, event) {
      await repository.failAttempt(id, event);
      released();
    },

    async release(id) {
      await repository.releaseAttempt(id);
      released();
    },

    released,
  };
}

/**
 * The key that an address counts under. Each address has one spelling. IPv4 inside IPv6 is IPv4. An
 * IPv6 address counts as its /64: one customer has at least that many.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const { address: canonical } = new SocketAddress({ address, family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = canonical.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
