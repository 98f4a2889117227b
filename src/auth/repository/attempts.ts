import type { NewAuditEvent } from "./audit.ts";

/** Tries of passwords, and mail to an address, counted so that nobody has too many. */
export interface AttemptSteps {
  /**
   * Reserves a try, before the password is looked at. It counts as under way until it fails or is
   * taken back, and as failed if neither comes before `pendingUntil`.
   * - no more tries are under way than may still fail, whoever asks at the same time
   * - a try that failed counts for its account and for its address
   * - an account is locked from its last allowed failure until the oldest of them leaves the window
   * - tries without an address count for their account alone
   * - a try that was not settled counts as failed from its time on
   * - a failure of a time to come, as after a clock was set back, does not count
   * - a try that needs no settling counts from its time on, whatever crashes
   * - tries that a crash cut off count as one failure of their account, and nobody waits for them
   */
  reserveAttempt(attempt: AttemptReservation): Promise<ReservationOutcome>;

  /**
   * Lets a try fail, with an event of it if there is one.
   * - a try that was taken back does not count
   */
  failAttempt(id: string, event: NewAuditEvent | undefined): Promise<void>;

  /** Takes a try back. It came to no answer, or its password was not wrong. */
  releaseAttempt(id: string): Promise<void>;
}

export interface AttemptReservation {
  readonly id: string;
  /**
   * What is tried: an email key, of a user or not, or the id of a user without an email. Mail has
   * keys of its own, by `mailAccount`.
   */
  readonly account: string;
  /** What the limit by address counts by; empty if it is not known. */
  readonly address: string;
  readonly now: number;
  /** Undefined: it counts as failed at once, and nothing settles it. */
  readonly pendingUntil: number | undefined;
  /** How long a failure counts, in milliseconds. */
  readonly windowMs: number;
  /** So many failures lock the account, and so many the address. */
  readonly accountLimit: number;
  readonly addressLimit: number;
}

export type ReservationOutcome =
  | { readonly outcome: "reserved" }
  /** The tries under way could use up the failures that are left. */
  | { readonly outcome: "busy" }
  | { readonly outcome: "locked"; readonly retryAfterMs: number };
