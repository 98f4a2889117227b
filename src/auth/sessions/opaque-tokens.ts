import { createHmac, hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * A session token is `uss_` and 48 characters of base64url: 32 random bytes and their checksum.
 * The checksum tells a mistyped or cut token from a session that is over, without a look into the
 * database. It is no proof of anything.
 */
const SESSION_PREFIX = "uss_";
const SECRET_BYTES = 32;
const CHECKSUM_BYTES = 4;
const PREFIX_CHECKSUM = crc32(SESSION_PREFIX);
const SESSION_FORM = /^uss_[A-Za-z0-9_-]{48}$/;

/** A fresh session token: 256 random bits. */
export function newSessionToken(): string {
  return sessionToken(randomBytes(SECRET_BYTES));
}

/** Whether a text has the form of a session token, checksum included. */
export function isSessionToken(text: string): boolean {
  if (!SESSION_FORM.test(text)) return false;
  const body = bodyOf(text);
  return checksumOf(body.subarray(0, SECRET_BYTES)) === body.readUInt32BE(SECRET_BYTES);
}

/** The salt that makes, together with a token, the token's successor. */
export function newSuccessorSalt(): Uint8Array {
  return randomBytes(SECRET_BYTES);
}

/**
 * The token that replaces `token` in a renewal. Made from both, so that every call that still
 * comes with the old token gets the same new one, though the store keeps neither.
 */
export function successorOf(token: string, salt: Uint8Array): string {
  return sessionToken(createHmac("sha256", secretOf(token)).update(salt).digest());
}

/** 256 random bits as 43 characters of base64url: for states, nonces and PKCE verifiers. */
export function randomSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** The form in which the store knows a random token, which needs no salt and no stretching. */
export function hashToken(token: string): Uint8Array {
  // It goes by way of a text: Node takes twice as long to hash into a buffer.
  return Buffer.from(hash("sha256", token, "latin1"), "latin1");
}

function sessionToken(secret: Uint8Array): string {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(checksumOf(secret));
  return SESSION_PREFIX + Buffer.concat([secret, checksum]).toString("base64url");
}

function checksumOf(secret: Uint8Array): number {
  return crc32(secret, PREFIX_CHECKSUM);
}

function secretOf(token: string): Uint8Array {
  return bodyOf(token).subarray(0, SECRET_BYTES);
}

/** The secret and its checksum. */
function bodyOf(token: string): Buffer {
  return Buffer.from(token.slice(SESSION_PREFIX.length), "base64url");
}
