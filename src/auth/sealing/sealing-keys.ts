import { createHash } from "node:crypto";
import type { KeyStore } from "../repository.ts";

/** Separates this digest from any other of the same bytes. */
const PURPOSE = "usher sealing key id\n";
const ID_BYTES = 8;

/**
 * The sealing keys of a setting, in its order: the first seals. A key has the same id wherever it
 * is set and at whatever place, so that what it sealed is opened by every instance that has it.
 */
export function keyStoreOf(secrets: readonly Uint8Array[]): KeyStore {
  if (secrets.length === 0) throw new Error("there is no sealing key");
  return { sealingKeys: secrets.map((secret) => ({ id: idOf(secret), secret })) };
}

/** The id stands in the open beside what is sealed. It reveals nothing useful of a random key. */
function idOf(secret: Uint8Array): string {
  const digest = createHash("sha256").update(PURPOSE).update(secret).digest();
  return digest.subarray(0, ID_BYTES).toString("hex");
}
