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
 * empty stays, and so does one with which the profile would be larger than it may be.
 */
export function toldChanges(
  profile: Profile,
  told: ProviderProfile,
): Partial<ProviderProfile> | undefined {
  let whole = profile;
  for (const field of toldFields) {
    if (told[field] === "" || told[field] === profile[field]) continue;
    const next = { ...whole, [field]: told[field] };
    if (bytesOf(next) <= Math.max(LARGEST_PROFILE, bytesOf(whole))) whole = next;
  }
  const changed = toldFields.filter((field) => whole[field] !== profile[field]);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((field) => [field, whole[field]]));
}

/** The fields that a provider told and that a profile did not take. */
export function leftOutFields(
  profile: Profile,
  told: ProviderProfile,
): readonly (keyof ProviderProfile)[] {
  return toldFields.filter((field) => told[field] !== "" && told[field] !== profile[field]);
}
