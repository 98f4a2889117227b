import { randomUUID, sign } from "node:crypto";
import type { JWK } from "jose";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { SigningKeySteps } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { ACCESS_TOKEN_LIFE_MS, type KeyRing, openKeyRing } from "./signing-keys.ts";

/** How long the keys are remembered, until a look into the store for what others have added. */
const RELOAD_MS = 60_000;

/**
 * How long a token is given again to whoever asks for the same session. A browser's page is many
 * requests at once, and a signature costs as much as everything else of a check.
 */
const FRESH_MS = 15_000;

/** Of so many sessions the last token is remembered, about 700 bytes each. */
const MOST_REMEMBERED = 10_000;

interface TokenOf {
  readonly userId: string;
  readonly sessionId: string;
}

/** Signs access tokens, and tells the keys that prove them. */
export interface AccessTokens {
  /**
   * A JWT for a session that is known to be live: nothing here knows whether it is. Signed within
   * the last 15 seconds, so that calls for one session within them may get the same one, at once.
   * Rejects with STORAGE_UNAVAILABLE.
   */
  issue(token: TokenOf): string | Promise<string>;
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

interface SignedToken {
  readonly token: string;
  readonly signTime: number;
}

export function createAccessTokens(parts: AccessTokenParts): AccessTokens {
  const { issuer, audience, clock } = parts;
  let ring: Promise<KeyRing> | undefined;
  let loadTime = 0;
  /** The last token of each session, in the order in which they were signed. */
  const remembered = new Map<string, SignedToken>();

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

  function remember(sessionId: string, signed: SignedToken): void {
    remembered.delete(sessionId);
    remembered.set(sessionId, signed);
    for (const [first, token] of remembered) {
      if (remembered.size <= MOST_REMEMBERED && isFresh(token, signed.signTime)) return;
      remembered.delete(first);
    }
  }

  async function issueAnew({ userId, sessionId }: TokenOf, now: number): Promise<string> {
    const { signer } = await keyRing(now);
    const issued = Math.floor(now / 1_000);
    const token = signJwt(signer, {
      sid: sessionId,
      iss: issuer,
      aud: audience,
      sub: userId,
      iat: issued,
      exp: issued + ACCESS_TOKEN_LIFE_MS / 1_000,
      jti: randomUUID(),
    });
    remember(sessionId, { token, signTime: now });
    return token;
  }

  return {
    issue(of) {
      const now = clock.now();
      const last = remembered.get(of.sessionId);
      return last !== undefined && isFresh(last, now) ? last.token : issueAnew(of, now);
    },
    async publicKeys() {
      const { listed } = await keyRing(clock.now());
      return { keys: listed };
    },
  };
}

/** A clock that was set back makes no token younger than it is. */
function isFresh({ signTime }: SignedToken, now: number): boolean {
  return signTime <= now && now < signTime + FRESH_MS;
}

/**
 * RFC 7515, compact. Signed here and now: jose signs by WebCrypto, a job of the thread pool for
 * each token, which takes the main thread alone longer than the whole signature does.
 */
function signJwt({ id, algorithm, privateKey }: KeyRing["signer"], claims: object): string {
  const signed = `${encode({ alg: algorithm, kid: id, typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
