import { randomUUID } from "node:crypto";
import { type JWK, SignJWT } from "jose";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { SigningKeySteps } from "./repository.ts";
import type { Sealer } from "./sealing.ts";
import { ACCESS_TOKEN_LIFE_MS, type KeyRing, openKeyRing } from "./signing-keys.ts";

/** How long the keys are remembered, until a look into the store for what others have added. */
const RELOAD_MS = 60_000;

/** Signs access tokens, and tells the keys that prove them. */
export interface AccessTokens {
  /** A JWT for a session, good from now on. Throws STORAGE_UNAVAILABLE. */
  issue(token: { readonly userId: string; readonly sessionId: string }): Promise<string>;
  /**
   * The public keys (RFC 7517) of every token that is good, and of those to come soon.
   * Throws STORAGE_UNAVAILABLE.
   */
  publicKeys(): Promise<{ readonly keys: readonly JWK[] }>;
}

interface AccessTokenParts {
  readonly repository: SigningKeySteps;
  readonly sealer: Sealer;
  /** The `iss` and `aud` of every token. */
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createAccessTokens(parts: AccessTokenParts): AccessTokens {
  const { issuer, audience, clock } = parts;
  let ring: Promise<KeyRing> | undefined;
  let loadTime = 0;

  /** One look for all who ask at the same time; one that fails is not remembered. */
  function keyRing(now: number): Promise<KeyRing> {
    if (ring !== undefined && now - loadTime < RELOAD_MS) return ring;
    const opening = openKeyRing(parts, now);
    opening.catch(() => {
      if (ring === opening) ring = undefined;
    });
    ring = opening;
    loadTime = now;
    return opening;
  }

  return {
    async issue({ userId, sessionId }) {
      const now = clock.now();
      const { signer } = await keyRing(now);
      const issued = Math.floor(now / 1_000);
      return new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: signer.algorithm, kid: signer.id, typ: "JWT" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setIssuedAt(issued)
        .setExpirationTime(issued + ACCESS_TOKEN_LIFE_MS / 1_000)
        .setJti(randomUUID())
        .sign(signer.privateKey);
    },
    async publicKeys() {
      const { listed } = await keyRing(clock.now());
      return { keys: listed };
    },
  };
}
