import { randomUUIDv7 } from "node:crypto";
import type { Clock } from "../clock.ts";
import { UsherError } from "../errors.ts";
import type { AuthRepository, Session, SocialSignIn, User } from "./repository.ts";
import type { AuthSettings } from "./settings.ts";
import {
  hashToken,
  isSessionToken,
  newSessionToken,
  newSuccessorSalt,
  successorOf,
} from "./tokens.ts";

/** So that calls already under way with the old token, and those right after, succeed. */
const OLD_TOKEN_LIFE_MS = 60_000;

/** What the rules of sessions work on. */
export interface SessionRoom {
  readonly repository: AuthRepository;
  readonly settings: AuthSettings;
  readonly clock: Clock;
}

/** Where an end user signs in from, as the caller tells it. Empty: unknown. */
export interface Origin {
  readonly device: string;
  readonly address: string;
}

/** A session about to be stored, and the token that only its user gets. */
export interface NewSession {
  readonly token: string;
  readonly record: SocialSignIn["session"];
}

export interface CheckedSession {
  readonly user: User;
  readonly session: Session;
  /** The token to use from now on; empty if it is the one that was checked. */
  readonly newToken: string;
}

/** A session of full life from now on. */
export function newSession(room: SessionRoom, origin: Origin, now: number): NewSession {
  const token = newSessionToken();
  const record = {
    id: randomUUIDv7(),
    tokenHash: hashToken(token),
    expireTime: now + room.settings.sessionLifeMs,
    ...origin,
  };
  return { token, record };
}

/**
 * Tells whose session a token is, and renews it when its end is near.
 * Throws WRONG_SESSION_SIGN, NOT_AUTHENTICATED and USER_NOT_ACTIVE.
 */
export async function checkSession(
  { repository, settings, clock }: SessionRoom,
  token: string,
): Promise<CheckedSession> {
  if (!isSessionToken(token)) throw new UsherError("WRONG_SESSION_SIGN");
  const now = clock.now();
  const salt = newSuccessorSalt();
  const check = await repository.checkSession({
    tokenHash: hashToken(token),
    now,
    renewal: {
      withinMs: settings.sessionRenewBeforeMs,
      tokenHash: hashToken(successorOf(token, salt)),
      salt,
      expireTime: now + settings.sessionLifeMs,
      oldTokenExpireTime: now + OLD_TOKEN_LIFE_MS,
    },
    ask: undefined,
  });
  switch (check.outcome) {
    case "unknown":
      throw new UsherError("NOT_AUTHENTICATED");
    case "user_not_active":
      throw new UsherError("USER_NOT_ACTIVE");
    case "live": {
      const { user, session, successorSalt } = check;
      const newToken = successorSalt === undefined ? "" : successorOf(token, successorSalt);
      return { user, session, newToken };
    }
  }
}

/** Ends the session of a token. Throws NOT_AUTHENTICATED if there is none. */
export async function signOut({ repository, clock }: SessionRoom, token: string): Promise<void> {
  const ended = await repository.endSession({ tokenHash: hashToken(token), now: clock.now() });
  if (!ended) throw new UsherError("NOT_AUTHENTICATED");
}
