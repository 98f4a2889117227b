import type { Cases } from "./cases.ts";
import { sessionCases } from "./sessions.ts";
import { socialSignInCases } from "./social-sign-in.ts";
import { stateCases } from "./states.ts";
import { userCases } from "./users.ts";

/** What every storage of AuthService is held to, by topic. */
export const authSuite: Readonly<Record<string, Cases>> = {
  states: stateCases,
  "social sign-in": socialSignInCases,
  sessions: sessionCases,
  users: userCases,
};
