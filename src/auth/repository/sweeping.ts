/** Removes what is over, so that it does not take room for ever. */
export interface SweepSteps {
  /**
   * Removes what is over, at most `limit` of each kind. Returns the most that it removed of one.
   * - a sweep removes what is over, in steps, and nothing else
   */
  sweep(request: {
    readonly now: number;
    /** Failed tries before it no longer count. */
    readonly attemptsBefore: number;
    /** Events before it are no longer kept. */
    readonly eventsBefore: number;
    /** Revocations before it are no longer kept. */
    readonly revocationsBefore: number;
    readonly limit: number;
  }): Promise<number>;
}
