import type { MailWriter } from "../mail/mail-messages.ts";
import type { PasswordHasher } from "../passwords/hasher.ts";
import type { SessionRoom } from "../sessions/sessions.ts";
import type { AttemptLimiter } from "./attempt-limiter.ts";
import type { MailLimiter } from "./mail-limiter.ts";
import type { RefusalEvents } from "./refusal-events.ts";

/** What the rules of accounts with passwords work on. */
export interface AccountRoom extends SessionRoom {
  readonly hasher: PasswordHasher;
  readonly attempts: AttemptLimiter;
  readonly refusals: RefusalEvents;
  readonly mail: MailWriter;
  readonly mails: MailLimiter;
}

/** The user with an email, for an event; empty where there is none. */
export async function userIdOf({ repository }: AccountRoom, emailKey: string): Promise<string> {
  return (await repository.findUser({ emailKey }))?.id ?? "";
}
