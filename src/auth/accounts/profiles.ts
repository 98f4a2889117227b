import { invalid, UsherError } from "../../base/errors.ts";
import type { Profile, User } from "../repository.ts";
import { bytesOf, LARGEST_PROFILE } from "../rules/profiles.ts";
import type { SessionRoom } from "../sessions/sessions.ts";

/** Throws INVALID_PARAMS, naming the field, for a profile that is too large by itself. */
export function checkProfileSize(field: string, profile: Partial<Profile>): void {
  if (bytesOf(profile) > LARGEST_PROFILE) throw tooLarge(field);
}

/**
 * Writes the fields that are given.
 * Throws USER_NOT_FOUND, USER_NOT_ACTIVE, and INVALID_PARAMS if the whole would be too large.
 */
export async function updateProfile(
  { repository, clock }: SessionRoom,
  change: { readonly userId: string; readonly profile: Partial<Profile> },
): Promise<User> {
  const now = clock.now();
  const updated = await repository.updateProfile({ ...change, maxBytes: LARGEST_PROFILE, now });
  switch (updated.outcome) {
    case "updated":
      return updated.user;
    case "unknown":
      throw new UsherError("USER_NOT_FOUND");
    case "user_not_active":
      throw new UsherError("USER_NOT_ACTIVE");
    case "too_large":
      throw tooLarge("profile");
  }
}

function tooLarge(field: string): UsherError {
  return invalid(field, `is larger than ${LARGEST_PROFILE} bytes as a whole`);
}
