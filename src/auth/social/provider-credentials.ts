import type { Credentials } from "../providers/provider.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** The account that credentials belong to. */
interface Owner {
  readonly provider: string;
  readonly socialId: string;
}

/** Seals credentials for one account: a copy in another account's record does not open. */
export function sealCredentials(sealer: Sealer, owner: Owner, credentials: Credentials): string {
  return sealer.seal(JSON.stringify(credentials), credentialsContext(owner));
}

/** Undefined if the key that sealed them is gone. */
export function openCredentials(
  sealer: Sealer,
  owner: Owner & { readonly sealedCredentials: string },
): Credentials | undefined {
  const opened = sealer.open(owner.sealedCredentials, credentialsContext(owner));
  return opened === undefined ? undefined : (JSON.parse(opened) as Credentials);
}

export function credentialsContext({ provider, socialId }: Owner): readonly string[] {
  return ["social account", provider, socialId];
}

/**
 * Seals credentials that came without a refresh token, with the one that was kept before: a
 * provider that gives none at a later sign-in has not taken it back.
 */
export function completeCredentials(
  sealer: Sealer,
  owner: Owner,
  fresh: Credentials,
  before: string,
): string {
  const kept = openCredentials(sealer, { ...owner, sealedCredentials: before });
  if (kept === undefined || kept.refreshToken === "") return sealCredentials(sealer, owner, fresh);
  const { refreshToken, deviceId } = kept;
  return sealCredentials(sealer, owner, { ...fresh, refreshToken, deviceId });
}
