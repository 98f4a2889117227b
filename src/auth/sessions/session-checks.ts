import { UsherError } from "../../base/errors.ts";
import type { Session, SessionCheckOutcome, User } from "../repository.ts";
import {
  ASK_AGAIN_AFTER_MS,
  askProviderAgain,
  type SocialCheckRoom,
} from "../social/consent-checks.ts";
import { hashToken, isSessionToken, newSuccessorSalt, successorOf } from "./opaque-tokens.ts";
import type { SessionRoom } from "./sessions.ts";

/** The old token works this long, for calls that are under way with it and those right after. */
const OLD_TOKEN_LIFE_MS = 60_000;

type Live = Extract<SessionCheckOutcome, { readonly outcome: "live" }>;

export interface CheckedSession {
  readonly user: User;
  readonly session: Session;
  /** The token to use from now on; empty if it is the one that was checked. */
  readonly newToken: string;
}

/**
 * Tells whose session a token is, and renews the session when its end is near. Asks the provider
 * of a social session whether the user's consent stands, if it was not asked for long.
 * Throws WRONG_SESSION_SIGN, NOT_AUTHENTICATED and USER_NOT_ACTIVE.
 */
export async function checkSession(room: SocialCheckRoom, token: string): Promise<CheckedSession> {
  if (!isSessionToken(token)) throw new UsherError("WRONG_SESSION_SIGN");
  const { settings, clock } = room;
  const now = clock.now();
  const ask = {
    confirmedUntil: now - settings.socialCheckMs,
    askedUntil: now - ASK_AGAIN_AFTER_MS,
  };
  const tokenHash = hashToken(token);
  let found = live(await room.repository.checkSession({ tokenHash, now, renewal: undefined, ask }));
  const { dueAccount } = found;
  if (endsSoon(room, found, now)) found = await renewSession(room, token, now);
  const check = dueAccount && (await askProviderAgain(room, dueAccount));
  if (check?.outcome === "withdrawn") throw new UsherError("NOT_AUTHENTICATED");
  const { session, successorSalt } = found;
  const newToken = successorSalt === undefined ? "" : successorOf(token, successorSalt);
  return { user: check?.user ?? found.user, session, newToken };
}

/** Most checks find that it need not be renewed, and no successor is made. */
function endsSoon({ settings }: SessionRoom, { session, successorSalt }: Live, now: number) {
  const left = session.expireTime - now;
  return successorSalt === undefined && left <= settings.sessionRenewBeforeMs;
}

/** Renews the session, or tells the successor where another call was faster. */
async function renewSession(room: SessionRoom, token: string, now: number): Promise<Live> {
  const { sessionRenewBeforeMs: withinMs, sessionLifeMs } = room.settings;
  const tokenHash = hashToken(token);
  const salt = newSuccessorSalt();
  const renewal = {
    withinMs,
    tokenHash: hashToken(successorOf(token, salt)),
    salt,
    expireTime: now + sessionLifeMs,
    oldTokenExpireTime: now + OLD_TOKEN_LIFE_MS,
  };
  return live(await room.repository.checkSession({ tokenHash, now, renewal, ask: undefined }));
}

/**
 * Tells whose session a token is, for a call whose answer has no place for a new token.
 * Throws as `checkSession`.
 */
export async function requireSession(
  room: SessionRoom,
  token: string,
): Promise<{ readonly user: User; readonly session: Session }> {
  if (!isSessionToken(token)) throw new UsherError("WRONG_SESSION_SIGN");
  const check = { tokenHash: hashToken(token), now: room.clock.now() };
  return live(await room.repository.checkSession({ ...check, renewal: undefined, ask: undefined }));
}

function live(found: SessionCheckOutcome): Live {
  switch (found.outcome) {
    case "live":
      return found;
    case "unknown":
      throw new UsherError("NOT_AUTHENTICATED");
    case "user_not_active":
      throw new UsherError("USER_NOT_ACTIVE");
  }
}
