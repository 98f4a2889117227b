/** Base64 without padding, as hashes have it; passlib writes `.` for `+`. Undefined if it is none. */
export function fromBase64(text: string): Buffer | undefined {
  const standard = text.replaceAll(".", "+").replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(standard) || standard.length % 4 === 1) return undefined;
  return Buffer.from(standard, "base64");
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

const CRYPT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A number as crypt writes it: six bits a character, the lowest first. */
export function fromCryptNumber(text: string): number {
  return [...text].reduce(
    (sum, character, nth) => sum + CRYPT_ALPHABET.indexOf(character) * 64 ** nth,
    0,
  );
}

/** Bytes as crypt writes them: groups of three, the lowest six bits first. */
export function fromCryptBytes(text: string): Buffer {
  const groups = text.match(/.{1,4}/g) ?? [];
  return Buffer.concat(
    groups.map((group) => {
      const bytes = Buffer.alloc(3);
      bytes.writeUIntLE(fromCryptNumber(group) % 2 ** 24, 0, 3);
      return bytes.subarray(0, group.length - 1);
    }),
  );
}
