import type { AttemptReservation, ReservationOutcome } from "../repository.ts";

/** The keys that a try counts under: its account and, if known, its address. */
export type AttemptKey = { readonly account: string } | { readonly address: string };

export interface AttemptLimit {
  readonly by: AttemptKey;
  /** This many failures lock the key. */
  readonly limit: number;
}

/** The tries of one key that count. */
export interface CountedTries {
  readonly limit: number;
  /** Failed ones and those under way. */
  readonly count: number;
  /** When the oldest of the last `limit` failures was; undefined while there are fewer. */
  readonly lockedFrom: number | undefined;
}

/** What mail to an address counts under. No email key and no user's id has a colon. */
export function mailAccount(emailKey: string): string {
  return `mail:${emailKey}`;
}

/** All that is counted of one user. */
export function accountsOfUser(userId: string, emailKey: string): readonly string[] {
  return emailKey === "" ? [userId] : [userId, emailKey, mailAccount(emailKey)];
}

export function attemptLimits({
  account,
  address,
  accountLimit,
  addressLimit,
}: AttemptReservation): readonly AttemptLimit[] {
  const ofAccount = { by: { account }, limit: accountLimit };
  return address === "" ? [ofAccount] : [ofAccount, { by: { address }, limit: addressLimit }];
}

/** How far apart the clocks of instances may be. */
const CLOCK_SKEW_MS = 60_000;

/**
 * The times of tries that count: after `since`, up to `until`. A later one was made before the wall
 * clock was set back. It would lock its account for as long as that step, so it does not count.
 */
export function countedTimes({ now, windowMs }: AttemptReservation): {
  readonly since: number;
  readonly until: number;
} {
  return { since: now - windowMs, until: now + CLOCK_SKEW_MS };
}

/** Why no further try is allowed; undefined if one is. */
export function attemptRefusal(
  { now, windowMs }: AttemptReservation,
  tries: readonly CountedTries[],
): Exclude<ReservationOutcome, { readonly outcome: "reserved" }> | undefined {
  const locked = tries.map(({ lockedFrom }) =>
    lockedFrom === undefined ? 0 : lockedFrom + windowMs - now,
  );
  const retryAfterMs = Math.max(...locked);
  if (retryAfterMs > 0) return { outcome: "locked", retryAfterMs };
  return tries.some(({ count, limit }) => count >= limit) ? { outcome: "busy" } : undefined;
}
