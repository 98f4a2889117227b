import type { AttemptSteps } from "./repository/attempts.ts";
import type { AuditSteps } from "./repository/audit.ts";
import type { MailSteps } from "./repository/mail.ts";
import type { PasswordSteps } from "./repository/passwords.ts";
import type { RegistrationSteps } from "./repository/registration.ts";
import type { RevocationSteps } from "./repository/revocations.ts";
import type { SessionSteps } from "./repository/sessions.ts";
import type { SigningKeySteps } from "./repository/signing-keys.ts";
import type { SocialSteps } from "./repository/social.ts";
import type { SweepSteps } from "./repository/sweeping.ts";
import type { UserSteps } from "./repository/users.ts";

export type * from "./repository/attempts.ts";
export type * from "./repository/audit.ts";
export type * from "./repository/mail.ts";
export type * from "./repository/passwords.ts";
export type * from "./repository/registration.ts";
export type * from "./repository/revocations.ts";
export type * from "./repository/sealing-keys.ts";
export type * from "./repository/sessions.ts";
export type * from "./repository/signing-keys.ts";
export type * from "./repository/social.ts";
export type * from "./repository/sweeping.ts";
export type * from "./repository/users.ts";

/**
 * What AuthService keeps, and the steps by which it changes, by topic. A storage implements this
 * port; the suite in test/conformance/auth holds it to every obligation, which is each line in
 * repository/ that begins with a dash, by a case of the same words.
 *
 * Every step is atomic and durable when its promise resolves: all of it or none. Steps that race
 * behave as if one ran after the other. Any step throws STORAGE_UNAVAILABLE if the database does
 * not answer, and STORAGE_FULL if the disk has no room for it.
 *
 * Times are milliseconds since the Unix epoch. What has an `expireTime` is over from that
 * millisecond on. An empty string stands for what is not known. Tokens, states and codes come as
 * SHA-256 hashes; the store never sees the secret itself.
 */
export interface AuthRepository
  extends UserSteps,
    RegistrationSteps,
    PasswordSteps,
    AttemptSteps,
    SessionSteps,
    SocialSteps,
    RevocationSteps,
    SigningKeySteps,
    AuditSteps,
    MailSteps,
    SweepSteps {}
