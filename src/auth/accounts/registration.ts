import { randomUUIDv7 } from "node:crypto";
import { UsherError } from "../../base/errors.ts";
import { checkNewPassword } from "../passwords/strength.ts";
import type { ActivationRefusal, Email, User } from "../repository.ts";
import { hashToken, randomSecret } from "../sessions/opaque-tokens.ts";
import { type AccountRoom, userIdOf } from "./account-room.ts";
import { withRefusalEvent } from "./refusals.ts";

const CODE_LIFE_MS = 24 * 60 * 60_000;

/**
 * Makes a pending user and an activation code, or a fresh code for one. The code is empty where
 * Usher mails it and keeps it to itself. Throws USER_ALREADY_EXISTS and TOO_MANY_ATTEMPTS.
 */
export async function register(
  { repository, mail, mails, clock }: AccountRoom,
  request: { readonly email: Email; readonly userId: string | undefined },
): Promise<{ readonly user: User; readonly activationCode: string }> {
  const { email, userId } = request;
  // Counted first and whatever comes, so that the limit does not tell who has an account.
  await mails.count(email);
  const code = randomSecret();
  const now = clock.now();
  const codeExpireTime = now + CODE_LIFE_MS;
  const expireTime = new Date(codeExpireTime).toISOString();
  const registered = await repository.registerUser({
    email,
    userId,
    newUserId: randomUUIDv7(),
    codeHash: hashToken(code),
    codeExpireTime,
    mail: mail.write({ kind: "registration", to: email.address, code, expireTime }, codeExpireTime),
    now,
  });
  if (registered.outcome === "user_exists") throw new UsherError("USER_ALREADY_EXISTS");
  mail.sent();
  return { user: registered.user, activationCode: mail.returnCodes ? code : "" };
}

/**
 * Activates a pending user and sets the password.
 * Throws WRONG_ACTIVATION_CODE, USER_ALREADY_ACTIVE, WEAK_PASSWORD and OVERLOADED.
 */
export function completeRegistration(
  room: AccountRoom,
  request: {
    readonly email: Email;
    readonly code: string;
    readonly password: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<User> {
  const { repository, settings, hasher, clock } = room;
  const emailKey = request.email.key;
  const describe = async () =>
    ({ type: "registration_failed", userId: await userIdOf(room, emailKey) }) as const;
  return withRefusalEvent(room, describe, async () => {
    const code = { emailKey, codeHash: hashToken(request.code) };
    // The code is checked first, so that nobody can make the server hash passwords without one.
    const check = await repository.checkActivationCode({ ...code, now: clock.now() });
    if (check !== "good") throw refused(check);
    const password = await checkNewPassword(
      settings.passwordStrength,
      "password",
      request.password,
    );
    const passwordHash = await hasher.hash(password, request.signal);
    const now = clock.now();
    const activation = await repository.completeRegistration({ ...code, passwordHash, now });
    if (activation.outcome !== "activated") throw refused(activation.outcome);
    return activation.user;
  });
}

function refused(refusal: ActivationRefusal): UsherError {
  const reasons = {
    wrong_code: "WRONG_ACTIVATION_CODE",
    user_already_active: "USER_ALREADY_ACTIVE",
  } as const;
  return new UsherError(reasons[refusal]);
}
