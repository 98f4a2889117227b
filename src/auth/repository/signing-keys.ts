/** Keys that sign access tokens. */
export interface SigningKeySteps {
  /**
   * Lists every key, those that came into use first before the others.
   * - signing keys are kept as they were added, in a reopened store too
   */
  listSigningKeys(): Promise<readonly SigningKey[]>;

  /**
   * Adds a key and drops those that nobody needs any more, if `newestId` still names the newest
   * key. Returns whether it did.
   * - a signing key is added once, whoever finds at the same time that one is due
   * - keys that are dropped go with the addition or not at all
   */
  addSigningKey(request: {
    readonly key: SigningKey;
    /** The key in use last as its adder knows it; undefined if there is none. */
    readonly newestId: string | undefined;
    readonly dropIds: readonly string[];
  }): Promise<boolean>;
}

export interface SigningKey {
  /** The `kid` of what it signs. */
  readonly id: string;
  /** A JWK, as JSON. */
  readonly publicKey: string;
  /** A JWK too, as JSON, sealed. */
  readonly sealedPrivateKey: string;
  /** From when on it signs. */
  readonly useTime: number;
}
