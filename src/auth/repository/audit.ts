/**
 * What happened to accounts, for whoever has to find out.
 * - every change of an account leaves its event with it
 */
export interface AuditSteps {
  /**
   * Keeps an event that changed nothing, such as a refusal. The steps that change something keep
   * an event of it themselves, in their own transaction.
   */
  recordEvent(event: NewAuditEvent): Promise<void>;

  /**
   * Lists events, at most `limit`.
   * - events are listed the newest first, those of one millisecond too
   * - an event tells how many times it stands for, once where nothing is said
   * - events are filtered by user, by start time and by end time
   * - a list goes on after an event, whatever came meanwhile
   * - events stay when their user is deleted, in a reopened store too
   */
  listEvents(query: AuditQuery): Promise<readonly AuditEvent[]>;
}

export type AuditEventType =
  | "registered"
  | "registration_completed"
  | "registration_failed"
  | "imported"
  | "signed_in"
  | "sign_in_failed"
  | "signed_out"
  | "session_revoked"
  | "profile_updated"
  | "password_changed"
  | "password_change_failed"
  | "password_reset_requested"
  | "password_reset_completed"
  | "password_reset_failed"
  | "deactivated"
  | "activated"
  | "deleted"
  | "social_account_linked"
  | "social_account_link_failed"
  | "social_account_unlinked";

export interface AuditEvent {
  readonly id: string;
  readonly time: number;
  readonly type: AuditEventType;
  readonly userId: string;
  /** The session that it opened, ended or was done in. */
  readonly sessionId: string;
  readonly provider: string;
  /** The end user's, as the caller told it. */
  readonly address: string;
  readonly device: string;
  /** For a failure, the reason that the caller was answered. */
  readonly reason: string;
  /** How many refusals it stands for: they are counted where many come that are alike. */
  readonly count: number;
}

/** What is left out is not known. */
export type NewAuditEvent = Pick<AuditEvent, "time" | "type"> & Partial<Omit<AuditEvent, "id">>;

export interface AuditQuery {
  readonly limit: number;
  /** The last event of the page before; undefined for the first page. */
  readonly after: Pick<AuditEvent, "id" | "time"> | undefined;
  readonly userId: string | undefined;
  readonly startTime: number | undefined;
  /** Events at this time are not listed. */
  readonly endTime: number | undefined;
}
