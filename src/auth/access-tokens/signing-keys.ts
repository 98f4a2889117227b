import { createPrivateKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { Log } from "../../logging/log.ts";
import type { SigningKey, SigningKeySteps } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";

const ALGORITHM = "EdDSA";

/** How long an access token is good, in milliseconds. */
export const ACCESS_TOKEN_LIFE_MS = 5 * 60_000;

/** How long a key signs before the next one does, in milliseconds. */
const KEY_LIFE_MS = 30 * 24 * 60 * 60_000;

/** How long before its first use a key is listed, so that copies of the list have it in time. */
const LISTED_AHEAD_MS = 60 * 60_000;

/** How far apart the clocks of those who share the keys may be. */
const CLOCK_SKEW_MS = 60_000;

/** The keys as they are at one time. */
export interface KeyRing {
  readonly signer: {
    readonly id: string;
    readonly algorithm: string;
    readonly privateKey: KeyObject;
  };
  /** Public keys: of every token that may still be good, and the next one ahead of its use. */
  readonly listed: readonly JWK[];
}

/**
 * Reads the keys, and adds one where none is there or the next one is due.
 * Throws STORAGE_UNAVAILABLE.
 */
export async function openKeyRing(
  {
    repository,
    sealer,
    log,
  }: { readonly repository: SigningKeySteps; readonly sealer: Sealer; readonly log: Log },
  now: number,
): Promise<KeyRing> {
  const keys = await repository.listSigningKeys();
  const ring = readKeys(keys, sealer, now);
  const newest = keys.at(-1);
  const next = ring === undefined ? now : useTimeOfNext(newest, now);
  if (next === undefined && ring !== undefined) return ring;

  if (ring === undefined && newest !== undefined) {
    log.error({ kid: newest.id }, "the key of access tokens does not open; a new one replaces it");
  }
  const key = await newSigningKey(sealer, next ?? now);
  const dropIds = keys.filter((_, nth) => isOver(keys, nth, now)).map(({ id }) => id);
  // If another instance was faster its key is as good.
  await repository.addSigningKey({ key, newestId: newest?.id, dropIds });
  const renewed = readKeys(await repository.listSigningKeys(), sealer, now);
  if (renewed === undefined) throw new Error("no key of access tokens opens with the sealing keys");
  return renewed;
}

/** From when on the next key signs; undefined while it is too early to have one. */
function useTimeOfNext(newest: SigningKey | undefined, now: number): number | undefined {
  if (newest === undefined) return now;
  const due = newest.useTime + KEY_LIFE_MS;
  return now < due - LISTED_AHEAD_MS ? undefined : Math.max(due, now + LISTED_AHEAD_MS);
}

/** Undefined if the key that should sign now is not there, or does not open. */
function readKeys(keys: readonly SigningKey[], sealer: Sealer, now: number): KeyRing | undefined {
  const current = keys.findLast(({ useTime }) => useTime <= now) ?? keys[0];
  if (current === undefined) return undefined;
  const opened = sealer.open(current.sealedPrivateKey, signingKeyContext(current.id));
  if (opened === undefined) return undefined;
  const privateKey = createPrivateKey({ key: JSON.parse(opened) as JWK, format: "jwk" });
  const listed = keys
    .filter((_, nth) => !isOver(keys, nth, now))
    .map(({ publicKey }) => JSON.parse(publicKey) as JWK);
  return { signer: { id: current.id, algorithm: ALGORITHM, privateKey }, listed };
}

/** Whether every token of a key is over, because the one after it has signed for long enough. */
function isOver(keys: readonly SigningKey[], nth: number, now: number): boolean {
  const next = keys[nth + 1];
  return next !== undefined && now >= next.useTime + ACCESS_TOKEN_LIFE_MS + CLOCK_SKEW_MS;
}

async function newSigningKey(sealer: Sealer, useTime: number): Promise<SigningKey> {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const bare = await exportJWK(pair.publicKey);
  const id = await calculateJwkThumbprint(bare);
  const publicKey = JSON.stringify({ ...bare, kid: id, alg: ALGORITHM, use: "sig" });
  const privateKey = JSON.stringify(await exportJWK(pair.privateKey));
  return {
    id,
    publicKey,
    sealedPrivateKey: sealer.seal(privateKey, signingKeyContext(id)),
    useTime,
  };
}

/** The context that a sealed key is tied to. */
export function signingKeyContext(id: string): readonly string[] {
  return ["signing key", id];
}
