import { randomUUIDv7 } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type {
  AuthRepository,
  SessionPage,
  SessionQuery,
  NewSession as SessionRecord,
} from "../repository.ts";
import type { AuthSettings } from "../settings.ts";
import { hashToken, newSessionToken } from "./opaque-tokens.ts";

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
  readonly record: SessionRecord;
}

/** A session of full life from now on. */
export function newSession(room: SessionRoom, origin: Origin, now: number): NewSession {
  const token = newSessionToken();
  const record = {
    id: randomUUIDv7(),
    tokenHash: hashToken(token),
    expireTime: now + room.settings.sessionLifeMs,
    mostOfUser: room.settings.maxSessionsPerUser,
    ...origin,
  };
  return { token, record };
}

/** Ends the session of a token. Throws NOT_AUTHENTICATED if there is none. */
export async function signOut({ repository, clock }: SessionRoom, token: string): Promise<void> {
  const ended = await repository.endSession({ tokenHash: hashToken(token), now: clock.now() });
  if (!ended) throw new UsherError("NOT_AUTHENTICATED");
}

/** One page of where a user is signed in, the newest first. Throws USER_NOT_FOUND. */
export async function listSessions(
  { repository, clock }: SessionRoom,
  query: Omit<SessionQuery, "now">,
): Promise<SessionPage> {
  const page = await repository.listSessions({ ...query, now: clock.now() });
  if (page === undefined) throw new UsherError("USER_NOT_FOUND");
  return page;
}

/** Ends sessions of a user, all of them without ids. Returns how many. Throws USER_NOT_FOUND. */
export async function revokeSessions(
  { repository, clock }: SessionRoom,
  userId: string,
  ids: readonly string[],
): Promise<number> {
  const sessionIds = ids.length === 0 ? undefined : ids;
  const count = await repository.revokeSessions({ userId, sessionIds, now: clock.now() });
  if (count === undefined) throw new UsherError("USER_NOT_FOUND");
  return count;
}
