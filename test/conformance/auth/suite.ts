import type { AuthRepository } from "../../../src/auth/repository.ts";
import type { Suite } from "../cases.ts";
import { auditCases } from "./audit.ts";
import { sessionCases } from "./sessions.ts";
import { socialSignInCases } from "./social-sign-in.ts";
import { stateCases } from "./states.ts";
import { userCases } from "./users.ts";

/** What every storage of AuthService is held to, by topic. */
export const authSuite: Suite<AuthRepository> = {
  states: stateCases,
  "social sign-in": socialSignInCases,
  sessions: sessionCases,
  users: userCases,
  audit: auditCases,
};
