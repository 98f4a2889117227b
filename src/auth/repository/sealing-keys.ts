/** A key that seals secrets at rest: AES-256. */
export interface SealingKey {
  /** Names the key in what it sealed. Letters and digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Where the sealing keys come from: a file beside the data, or a setting. */
export interface KeyStore {
  /** The first seals, and every one opens. Never empty. */
  readonly sealingKeys: readonly SealingKey[];
}
