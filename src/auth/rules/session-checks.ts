import type { Session, SessionCheck, SessionRenewal } from "../repository.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

/** What has to be written after a check of a session. */
export interface DueWrites {
  readonly renewal: SessionRenewal | undefined;
  /** Whether the time of the check is to be kept as the last one. */
  readonly isSeen: boolean;
  /** Whether it is the caller's turn to ask the account's provider. */
  readonly isAsked: boolean;
}

/**
 * What is due at a check of a live session; undefined, as after most checks, if nothing is.
 * `account` is the one that opened the session, if it is still linked, with the times at which its
 * provider last confirmed it and was last asked.
 */
export function dueWrites(
  { lastSeenTime, expireTime }: Pick<Session, "lastSeenTime" | "expireTime">,
  byOldToken: boolean,
  account: { readonly confirmTime: number; readonly askTime: number } | undefined,
  { now, renewal, ask }: SessionCheck,
): DueWrites | undefined {
  const isSeen = now - lastSeenTime >= SEEN_STEP_MS;
  const isRenewed = renewal !== undefined && !byOldToken && expireTime - now <= renewal.withinMs;
  const isAsked =
    ask !== undefined &&
    account !== undefined &&
    account.confirmTime <= ask.confirmedUntil &&
    account.askTime <= ask.askedUntil;
  if (!isSeen && !isRenewed && !isAsked) return undefined;
  return { renewal: isRenewed ? renewal : undefined, isSeen, isAsked };
}
