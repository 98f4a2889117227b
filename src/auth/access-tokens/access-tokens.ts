import { randomUUID, sign } from "node:crypto";
import type { JWK } from "jose";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { SigningKeySteps } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { ACCESS_TOKEN_LIFE_MS, type KeyRing, openKeyRing } from "./signing-keys.ts";

/**
 * How long the keys are remembered. Then the store is read again for keys that others have added.
 */
const RELOAD_MS = 60_000;

/**
 * How long the same token is given again for the same session. A browser's page makes many requests
 * at once, and a signature costs as much as the rest of a check.
 */
const FRESH_MS = 15_000;

/** The last token is remembered of this many sessions, about 700 bytes each. */
const MOST_REMEMBERED = 10_000;

interface TokenOf {
  readonly userId: string;
  readonly sessionId: string;
}

/** Signs access tokens, and tells the keys that prove them. */
export interface AccessTokens {
  /**
   * A JWT for a session. The caller has checked that the session is live. The token was signed
   * within the last 15 seconds: calls for one session may get the same one. Rejects with
   * STORAGE_UNAVAILABLE.
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
  /** On the monotonic clock. */
  let loadTime = 0;
  /** The last token of each session, in the order in which they were signed. */
  const remembered = new Map<string, SignedToken>();

  /** One read for all who ask at the same time. A failed read is not remembered. */
  function keyRing(now: number): Promise<KeyRing> {
    const time = clock.monotonic();
    if (ring !== undefined && time - loadTime < RELOAD_MS) return ring;
    const opening = openKeyRing(parts, now);
    opening.catch(() => {
      if (ring === opening) ring = undefined;
    });
    ring = opening;
    loadTime = time;
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
 * A compact JWS (RFC 7515), signed on this thread. jose would sign by WebCrypto: the job for the
 * thread pool alone takes longer than the whole signature.
 */
function signJwt({ id, algorithm, privateKey }: KeyRing["signer"], claims: object): string {
  const signed = `${encode({ alg: algorithm, kid: id, typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
