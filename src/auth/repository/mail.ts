/** Mail on its way to the queue: kept with the change that it tells of, removed once queued. */
export interface MailSteps {
  /**
   * Lists mail that waits, the oldest first, at most `limit`.
   * - mail is kept with the change that it tells of, in a reopened store too
   * - mail is listed oldest first, and is gone once removed
   * - no mail is kept for a change that is refused
   */
  listMail(limit: number): Promise<readonly NewMail[]>;

  /** Forgets mail that has been queued. */
  removeMail(ids: readonly string[]): Promise<void>;
}

export interface NewMail {
  /** Unique to this mail. By it the queue takes no mail twice. */
  readonly id: string;
  /** The mail, sealed: it has codes in it. */
  readonly sealed: string;
  /** When it has lost its use; undefined for never. */
  readonly expireTime: number | undefined;
}
