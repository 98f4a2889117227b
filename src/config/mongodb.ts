/**
 * Whether a text is a URL that MongoDB's drivers take. In it `@`, `/` and `?` have one place each.
 * In a user or a password they are written as %40, %2F and %3F.
 */
export function isMongoUrl(text: string): boolean {
  return /^mongodb(?:\+srv)?:\/\/(?:[^@/?#\s]+@)?[^@/?#\s]+(?:\/[^@/?#\s]*(?:\?[^#\s]*)?)?$/.test(
    text,
  );
}

/** A key of 32 bytes in hex, base64 or base64url; undefined if it is none. */
export function readKey(text: string): Uint8Array | undefined {
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Buffer.from(text, "hex");
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, "base64");
  return /^[A-Za-z0-9_-]{43}=?$/.test(text) ? Buffer.from(text, "base64url") : undefined;
}
