/**
 * What tells services that an access token is no good, though its time is not over. The steps that
 * end sessions before their time keep a revocation themselves, in their own transaction.
 */
export interface RevocationSteps {
  /**
   * Lists what was revoked after a place in the sequence, at most `limit`.
   * - a revocation is kept of every session that ends before its time
   * - a revocation is kept of a user who is deactivated or deleted, and none of the sessions
   * - nothing is revoked by a session that runs out, is renewed or was over
   * - revocations are listed in order and go on after any place, in a reopened store too
   * - revocations are kept until their time and then swept in steps, but for the last
   */
  listRevocations(query: {
    /** A `sequence`; 0 for all that is kept. */
    readonly after: number;
    readonly limit: number;
  }): Promise<readonly Revocation[]>;

  /** The sequence of the last revocation; 0 if there never was one. */
  lastRevocation(): Promise<number>;
}

export interface Revocation {
  /** Grows with every revocation and is never used again. */
  readonly sequence: number;
  readonly time: number;
  readonly userId: string;
  /** Empty for every session of the user. */
  readonly sessionId: string;
}
