import { isDeepStrictEqual } from "node:util";
import type { Profile, ProfileChange, ProviderProfile } from "../repository.ts";

/** The profile after a change of some fields; "same" if it is as before. */
export function changedProfile(
  profile: Profile,
  { profile: given, maxBytes }: ProfileChange,
): Profile | "same" | "too_large" {
  const changed = { ...profile, ...given };
  if (isDeepStrictEqual(changed, profile)) return "same";
  return bytesOf(changed) > maxBytes ? "too_large" : changed;
}

/** In bytes of UTF-8, of every field together, attribute keys included. */
export const LARGEST_PROFILE = 16 * 1024;

/** How large the fields of a profile are together, as `LARGEST_PROFILE` counts. */
export function bytesOf({ attributes = {}, ...texts }: Partial<Profile>): number {
  const parts = [...Object.values(texts), ...Object.entries(attributes).flat()];
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}

const toldFields = ["firstName", "lastName", "picture", "locale"] as const;

/**
 * The fields that change by what a provider tells; undefined if none do. A field that it leaves
 * empty stays.
 */
export function toldChanges(
  profile: ProviderProfile,
  told: ProviderProfile,
): Partial<ProviderProfile> | undefined {
  const changed = toldFields.filter(
    (field) => told[field] !== "" && told[field] !== profile[field],
  );
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((field) => [field, told[field]]));
}
