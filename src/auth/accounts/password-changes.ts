import { UsherError } from "../../base/errors.ts";
import { checkNewPassword } from "../passwords/strength.ts";
import type { Email, NewMail } from "../repository.ts";
import { hashToken, randomSecret } from "../sessions/opaque-tokens.ts";
import { type AccountRoom, userIdOf } from "./account-room.ts";
import { tryPassword } from "./password-tries.ts";
import { withRefusalEvent } from "./refusals.ts";

const RESET_TOKEN_LIFE_MS = 60 * 60_000;

/**
 * Changes a password by the old one, ends the user's other sessions and voids reset tokens.
 * Throws USER_NOT_FOUND, USER_NOT_ACTIVE, WRONG_PASSWORD, WEAK_PASSWORD, TOO_MANY_ATTEMPTS and
 * OVERLOADED.
 */
export async function changePassword(
  room: AccountRoom,
  request: {
    readonly userId: string;
    readonly oldPassword: string;
    readonly newPassword: string;
    /** Token of the session that stays; empty for none. */
    readonly keepSessionToken: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { repository, settings, hasher, mail, refusals, clock } = room;
  const { userId, keepSessionToken, signal } = request;
  const user = await repository.findCredentials({ userId });
  if (user === undefined) throw new UsherError("USER_NOT_FOUND");
  const failure = "password_change_failed";
  if (user.state !== "active") {
    const reason = "USER_NOT_ACTIVE";
    await refusals.record({ type: failure, userId, reason, time: clock.now() });
    throw new UsherError(reason);
  }
  const attempt = {
    user: { userId },
    account: user.email?.key ?? userId,
    password: request.oldPassword,
    origin: { device: "", address: "" },
    failure,
    signal,
  } as const;
  await tryPassword(room, attempt, async ({ attemptId, credentials: { email, passwordHash } }) => {
    const { passwordStrength } = settings;
    const password = await checkNewPassword(passwordStrength, "new_password", request.newPassword);
    const newPasswordHash = await hasher.hash(password, signal);
    const notice = email && (await writeNotice(room, email));
    const changed = await repository.changePassword({
      attemptId,
      userId,
      passwordHash,
      newPasswordHash,
      keptTokenHash: keepSessionToken === "" ? undefined : hashToken(keepSessionToken),
      mail: notice,
      now: clock.now(),
    });
    switch (changed) {
      case "changed":
        return mail.sent();
      case "user_not_active":
        throw new UsherError("USER_NOT_ACTIVE");
      case "password_changed":
        throw new UsherError("WRONG_PASSWORD");
    }
  });
}

/**
 * Makes a reset token for the user with an email. It is empty where Usher mails it and keeps it
 * to itself. Throws USER_NOT_FOUND, USER_NOT_ACTIVE and TOO_MANY_ATTEMPTS.
 */
export async function requestPasswordReset(
  { repository, mail, mails, clock }: AccountRoom,
  email: Email,
): Promise<{ readonly resetToken: string }> {
  // Counted first and whatever comes, so that the limit does not tell who has an account.
  await mails.count(email);
  const user = await repository.findCredentials({ emailKey: email.key });
  const resetToken = randomSecret();
  const now = clock.now();
  const expireTime = now + RESET_TOKEN_LIFE_MS;
  const written = {
    kind: "password_reset",
    // The address as the user has it. Another spelling may lead to another mailbox.
    to: user?.email?.address ?? email.address,
    resetToken,
    expireTime: new Date(expireTime).toISOString(),
  } as const;
  const saved = await repository.saveResetToken({
    emailKey: email.key,
    tokenHash: hashToken(resetToken),
    expireTime,
    mail: mail.write(written, expireTime),
    now,
  });
  switch (saved) {
    case "saved":
      mail.sent();
      return { resetToken: mail.returnCodes ? resetToken : "" };
    case "unknown":
      throw new UsherError("USER_NOT_FOUND");
    case "user_not_active":
      throw new UsherError("USER_NOT_ACTIVE");
  }
}

/**
 * Sets a password by a reset token, ends every session of the user and lifts the lock.
 * Throws WRONG_RESTORE_TOKEN, WEAK_PASSWORD and OVERLOADED.
 */
export function completePasswordReset(
  room: AccountRoom,
  request: {
    readonly email: Email;
    readonly resetToken: string;
    readonly password: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { repository, settings, hasher, mail, clock } = room;
  const { email, resetToken, signal } = request;
  const describe = async () =>
    ({ type: "password_reset_failed", userId: await userIdOf(room, email.key) }) as const;
  return withRefusalEvent(room, describe, async () => {
    const token = { emailKey: email.key, tokenHash: hashToken(resetToken) };
    // The token is checked first, so that nobody can make the server hash passwords without one.
    if (!(await repository.checkResetToken({ ...token, now: clock.now() }))) {
      throw new UsherError("WRONG_RESTORE_TOKEN");
    }
    const password = await checkNewPassword(
      settings.passwordStrength,
      "password",
      request.password,
    );
    const passwordHash = await hasher.hash(password, signal);
    const user = await repository.findCredentials({ emailKey: email.key });
    const notice = await writeNotice(room, user?.email ?? email);
    const completed = await repository.completePasswordReset({
      ...token,
      passwordHash,
      mail: notice,
      now: clock.now(),
    });
    if (!completed) throw new UsherError("WRONG_RESTORE_TOKEN");
    mail.sent();
  });
}

/**
 * The notice of a changed password. It is counted and never held back: otherwise whoever asks for
 * too many codes first could change a password and its owner would not be told.
 */
async function writeNotice({ mail, mails }: AccountRoom, to: Email): Promise<NewMail | undefined> {
  const notice = mail.write({ kind: "password_changed", to: to.address });
  if (notice !== undefined) await mails.countNotice(to);
  return notice;
}
