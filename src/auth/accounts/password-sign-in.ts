import { UsherError } from "../../base/errors.ts";
import type { Email, Session, User } from "../repository.ts";
import { newSession, type Origin } from "../sessions/sessions.ts";
import type { AccountRoom } from "./account-room.ts";
import { tryPassword } from "./password-tries.ts";

/**
 * Opens a session by email and password.
 * Throws WRONG_PASSWORD, USER_NOT_ACTIVE (the password was right), TOO_MANY_ATTEMPTS, OVERLOADED.
 */
export function signIn(
  room: AccountRoom,
  request: {
    readonly email: Email;
    readonly password: string;
    readonly origin: Origin;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ readonly user: User; readonly session: Session; readonly token: string }> {
  const { email, password, origin, signal } = request;
  const attempt = {
    user: { emailKey: email.key },
    account: email.key,
    password,
    origin,
    failure: "sign_in_failed",
    signal,
  } as const;
  return tryPassword(room, attempt, async ({ attemptId, credentials, newPasswordHash }) => {
    const { userId, passwordHash } = credentials;
    const now = room.clock.now();
    const { token, record } = newSession(room, origin, now);
    const signedIn = await room.repository.signInByPassword({
      attemptId,
      userId,
      passwordHash,
      newPasswordHash,
      session: record,
      now,
    });
    switch (signedIn.outcome) {
      case "signed_in":
        return { user: signedIn.user, session: signedIn.session, token };
      case "user_not_active":
        throw new UsherError("USER_NOT_ACTIVE");
      case "password_changed":
        throw new UsherError("WRONG_PASSWORD");
    }
  });
}
