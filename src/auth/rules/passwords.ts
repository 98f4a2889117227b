import type { UserState } from "../repository.ts";

/** Why a password that was right a moment ago does not count any more; undefined if it counts. */
export function passwordRefusal(
  found: { readonly state: UserState; readonly passwordHash: string | null } | undefined,
  /** The hash that the password was checked against. */
  passwordHash: string,
): "password_changed" | "user_not_active" | undefined {
  if (found?.passwordHash !== passwordHash) return "password_changed";
  return found.state === "active" ? undefined : "user_not_active";
}
