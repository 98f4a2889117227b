import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { KeyStore, SealingKey } from "../repository.ts";

/** Keeps secrets that must be read again, such as a provider's tokens, unreadable in the store. */
export interface Sealer {
  /** Encrypts a text for one place: `context` names the record it belongs to. */
  seal(text: string, context: readonly string[]): string;
  /** The text; undefined if it was changed, sealed for another place, or its key is gone. */
  open(sealed: string, context: readonly string[]): string | undefined;
}

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = /^v1\.([A-Za-z0-9]+)\.([A-Za-z0-9_-]+)$/;

/** AES-256-GCM with a random nonce, as `v1.<key id>.<nonce, ciphertext and tag in base64url>`. */
export function createSealer(keys: KeyStore): Sealer {
  const current = keys.sealingKeys[0];
  if (current === undefined) throw new Error("there is no sealing key");
  return {
    seal(text, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, current.secret, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(boundTo(current, context));
      const body = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final()]);
      const sealed = Buffer.concat([body, cipher.getAuthTag()]).toString("base64url");
      return `v1.${current.id}.${sealed}`;
    },
    open(sealed, context) {
      const [, keyId, encoded = ""] = FORM.exec(sealed) ?? [];
      const key = keys.sealingKeys.find((candidate) => candidate.id === keyId);
      const body = Buffer.from(encoded, "base64url");
      if (key === undefined || body.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const nonce = body.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(CIPHER, key.secret, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(key, context));
      decipher.setAuthTag(body.subarray(-TAG_BYTES));
      try {
        const text = decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch {
        return undefined;
      }
    },
  };
}

/** What a sealed text is tied to. JSON keeps ["a", "bc"] and ["ab", "c"] apart. */
function boundTo(key: SealingKey, context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify([key.id, ...context]));
}
