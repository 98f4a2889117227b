import type { Sealer } from "../sealing/sealer.ts";

/** What proves to the provider, and to Usher, that the end of a sign-in belongs to its beginning. */
export interface SignInSecrets {
  /** Of PKCE; empty for none. */
  readonly codeVerifier: string;
  /** Empty for none. */
  readonly nonce: string;
}

/** Seals the secrets of one state: beside another state they do not open. */
export function sealSignInSecrets(
  sealer: Sealer,
  stateHash: Uint8Array,
  secrets: SignInSecrets,
): SignInSecrets {
  const context = stateContext(stateHash);
  return {
    codeVerifier: sealer.seal(secrets.codeVerifier, context),
    nonce: sealer.seal(secrets.nonce, context),
  };
}

/** Undefined if the key that sealed them is gone. */
export function openSignInSecrets(
  sealer: Sealer,
  stateHash: Uint8Array,
  sealed: SignInSecrets,
): SignInSecrets | undefined {
  const context = stateContext(stateHash);
  const codeVerifier = sealer.open(sealed.codeVerifier, context);
  const nonce = sealer.open(sealed.nonce, context);
  return codeVerifier === undefined || nonce === undefined ? undefined : { codeVerifier, nonce };
}

export function stateContext(stateHash: Uint8Array): readonly string[] {
  return ["social state", Buffer.from(stateHash).toString("base64url")];
}
