import { UsherError } from "../../base/errors.ts";
import type { Credentials, NewAuditEvent, UserKey } from "../repository.ts";
import type { Origin } from "../sessions/sessions.ts";
import type { AccountRoom } from "./account-room.ts";
import type { Attempt } from "./attempt-limiter.ts";
import { isRefusal } from "./refusals.ts";

/** One try of a password. */
export interface PasswordTry {
  readonly user: UserKey;
  /** What the try counts for. */
  readonly account: string;
  readonly password: string;
  readonly origin: Origin;
  /** The event that a refusal becomes. */
  readonly failure: NewAuditEvent["type"];
  readonly signal?: AbortSignal | undefined;
}

/** A password that was right. */
export interface RightPassword {
  /** The try to release in the step for which the password was asked. */
  readonly attemptId: string;
  readonly credentials: Credentials;
  /** The hash to keep from now on; undefined if the old one is good. */
  readonly newPasswordHash: string | undefined;
}

/**
 * Checks a password within the limits. If it is right `use` is called, which must release the try.
 * Each refusal becomes an event, or is counted with others, also one of `use`. An unknown user, a user without a password and
 * a wrong password look the same to the caller, in words and in time. Throws WRONG_PASSWORD,
 * USER_NOT_ACTIVE, TOO_MANY_ATTEMPTS, OVERLOADED, and what `use` throws.
 */
export async function tryPassword<T>(
  room: AccountRoom,
  given: PasswordTry,
  use: (right: RightPassword) => Promise<T>,
): Promise<T> {
  const { attempts, refusals } = room;
  let attemptId: string;
  try {
    const { address } = given.origin;
    const attempt: Attempt = { account: given.account, address };
    attemptId = await attempts.begin(attempt, given.signal);
  } catch (error) {
    if (isRefusal(error)) await refusals.record(await toEvent(room, given, error));
    throw error;
  }
  try {
    const result = await use(await check(room, given, attemptId));
    attempts.released();
    return result;
  } catch (error) {
    await settle(room, given, attemptId, error);
    throw error;
  }
}

async function check(
  { repository, hasher }: AccountRoom,
  { user, password, signal }: PasswordTry,
  attemptId: string,
): Promise<RightPassword> {
  const credentials = await repository.findCredentials(user);
  const checked = await hasher.check(password, credentials?.passwordHash ?? "", signal);
  if (!checked.right || credentials === undefined) throw new UsherError("WRONG_PASSWORD");
  if (credentials.state !== "active") throw new UsherError("USER_NOT_ACTIVE");
  return { attemptId, credentials, newPasswordHash: checked.newHash };
}

/** Ends a try that failed. Only a wrong password counts. */
async function settle(
  room: AccountRoom,
  given: PasswordTry,
  attemptId: string,
  error: unknown,
): Promise<void> {
  const { attempts, refusals } = room;
  if (isRefusal(error) && error.reason === "WRONG_PASSWORD") {
    await attempts.fail(attemptId, refusals.take(await toEvent(room, given, error)));
    return;
  }
  await attempts.release(attemptId);
  if (isRefusal(error)) await refusals.record(await toEvent(room, given, error));
}

async function toEvent(
  { repository, clock }: AccountRoom,
  { user, origin, failure }: PasswordTry,
  { reason }: UsherError,
): Promise<NewAuditEvent> {
  const userId = (await repository.findUser(user))?.id ?? "";
  return { type: failure, time: clock.now(), userId, reason, ...origin };
}
