import type { AuthRepository } from "../../../src/auth/repository.ts";
import type { Suite } from "../cases.ts";
import { attemptCases } from "./attempts.ts";
import { auditCases } from "./audit.ts";
import { mailCases } from "./mail.ts";
import { passwordCases } from "./passwords.ts";
import { profileCases } from "./profiles.ts";
import { registrationCases } from "./registration.ts";
import { revocationCases } from "./revocations.ts";
import { sessionCases } from "./sessions.ts";
import { signingKeyCases } from "./signing-keys.ts";
import { socialCheckCases } from "./social-checks.ts";
import { socialLinkCases } from "./social-links.ts";
import { socialSignInCases } from "./social-sign-in.ts";
import { stateCases } from "./states.ts";
import { sweepingCases } from "./sweeping.ts";
import { userListCases } from "./user-lists.ts";
import { userCases } from "./users.ts";

/** What every storage of AuthService is held to, by topic. */
export const authSuite: Suite<AuthRepository> = {
  states: stateCases,
  "social sign-in": socialSignInCases,
  "social accounts": socialLinkCases,
  "checks of social accounts": socialCheckCases,
  sessions: sessionCases,
  revocations: revocationCases,
  "signing keys": signingKeyCases,
  users: userCases,
  "lists of users": userListCases,
  profiles: profileCases,
  registration: registrationCases,
  passwords: passwordCases,
  "tries of passwords": attemptCases,
  audit: auditCases,
  mail: mailCases,
  sweeping: sweepingCases,
};
