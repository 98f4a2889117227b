import type { Log } from "../../logging/log.ts";
import type { Identity } from "../providers/provider.ts";
import type { Profile } from "../repository.ts";
import { leftOutFields } from "../rules/profiles.ts";

/** What a provider told of a profile. */
export type ToldProfile = Pick<Identity, "profile" | "tooLong">;

/**
 * Logs the fields that a provider told and that were not stored, since they are too long or make
 * the profile too large: their names, never what they hold.
 */
export function logLeftOut(
  log: Log,
  provider: string,
  { profile, tooLong }: ToldProfile,
  /** The profile that was stored. */
  stored: Profile,
): void {
  const fields = [...tooLong, ...leftOutFields(stored, profile)];
  if (fields.length === 0) return;
  log.warn(
    { provider, fields },
    "what the provider tells is too long for a profile; it is left out",
  );
}
