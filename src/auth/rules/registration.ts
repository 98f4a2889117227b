import type { ActivationRefusal, Registration, User } from "../repository.ts";

type Found = Pick<User, "id" | "state">;

/**
 * The id of the pending user whom a registration makes, or registers again; undefined if another
 * user has the email. `found` is the user with the email.
 */
export function registeredId(
  found: Found | undefined,
  { userId, newUserId }: Registration,
): string | undefined {
  const id = userId ?? found?.id ?? newUserId;
  if (found === undefined) return id;
  return found.state === "pending" && found.id === id ? id : undefined;
}

/** Why a user is not activated by a code; undefined if the user is. */
export function activationRefusal(
  found: Pick<User, "state"> | undefined,
  isGoodCode: () => boolean,
): ActivationRefusal | undefined {
  if (found?.state === "active") return "user_already_active";
  return found !== undefined && isGoodCode() ? undefined : "wrong_code";
}
