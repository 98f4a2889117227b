/**
 * Every reason for which Usher refuses a call, named once. `server/error-status.ts` maps each to a
 * status. Storages turn their drivers' errors into these. Any other error reaches a caller as
 * INTERNAL, without its message.
 */
export const reasons = {
  // Any call
  INVALID_PARAMS: "A field of the request is missing, malformed or out of range.",
  PAYLOAD_TOO_LARGE: "The task or the request is larger than the configured limit.",
  SHUTTING_DOWN: "The server is stopping; ask another one, or again in a moment.",
  STORAGE_UNAVAILABLE: "The database did not take the change; nothing was promised.",
  MEMORY_FULL: "The tasks of temporary tubes take as much memory as they may.",
  STORAGE_FULL: "The disk is full: nothing more is kept until there is room again.",
  SHARD_UNAVAILABLE: "The tube is moving from one instance to another; try again in a moment.",
  NOT_OWNER: "Nothing was done: another instance has the tube.",
  HOST_NOT_ALLOWED: "The host that was called is none of the listener's names.",
  ORIGIN_NOT_ALLOWED: "Pages of that origin may not call.",
  // Queues
  TUBE_NOT_FOUND: "There is no tube of that name.",
  TASK_NOT_FOUND: "There is no task with that id in the tube.",
  SESSION_NOT_FOUND: "There is no such session, or it is over.",
  TUBE_ALREADY_EXISTS: "A tube of that name exists.",
  TUBE_IN_USE: "Tasks of the tube are leased.",
  TASK_NOT_BURIABLE: "Only a ready or delayed task can be buried by id.",
  LEASE_LOST: "The lease is not held: it ended, was settled, or never was.",
  TUBE_FULL: "The tube holds as many tasks as its capacity allows.",
  // Sign-in
  WEAK_PASSWORD: "The password does not reach the configured strength.",
  WRONG_PROVIDER: "There is no sign-in provider of that name.",
  USER_NOT_FOUND: "There is no such user.",
  USER_ALREADY_EXISTS: "A user with that email or id exists.",
  SOCIAL_ACCOUNT_IN_USE: "The social account belongs to another user.",
  USER_NOT_ACTIVE: "The user is not active.",
  USER_ALREADY_ACTIVE: "The user is active already.",
  IMPROPERLY_CONFIGURED: "The provider is known but its settings are incomplete.",
  LAST_SIGN_IN_METHOD: "Without this account the user could not sign in again.",
  NOT_AUTHENTICATED: "The session is over, revoked or unknown.",
  WRONG_SESSION_SIGN: "The token does not have the form of a session token.",
  WRONG_PASSWORD: "The email or the password is wrong.",
  WRONG_ACTIVATION_CODE: "The activation code is wrong, used or over.",
  WRONG_RESTORE_TOKEN: "The reset token is wrong, used or over.",
  WRONG_AUTH_CODE: "The provider refused the authorization code.",
  WRONG_STATE: "The state is missing, unknown, used, over or of another provider.",
  OVERLOADED: "Too many passwords are being checked at once; try again in a moment.",
  TOO_MANY_ATTEMPTS: "Too many failed attempts; wait before the next.",
  SOCIAL_AUTH_ERROR: "The provider did not answer as it should.",
} as const;

export type Reason = keyof typeof reasons;

/** One faulty field: its path in the request as the proto names it, and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface ErrorOptions {
  /** Shown to the caller in place of the reason's own sentence. Never a secret. */
  readonly message?: string;
  /** The faulty fields, for INVALID_ARGUMENT. */
  readonly violations?: readonly FieldViolation[];
  /** When a retry makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** What happened underneath; for the log, never for the caller. */
  readonly cause?: unknown;
}

/** An error that its caller may see. */
export class UsherError extends Error {
  readonly reason: Reason;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason, options: ErrorOptions = {}) {
    super(options.message ?? reasons[reason], { cause: options.cause });
    this.name = "UsherError";
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** INVALID_PARAMS for one field, which the message may spell in another way. */
export function invalid(field: string, description: string, shown = field): UsherError {
  return new UsherError("INVALID_PARAMS", {
    message: `${shown}: ${description}`,
    violations: [{ field, description }],
  });
}
