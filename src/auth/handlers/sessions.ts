import { invalid } from "../../errors.ts";
import { checkSession, type SessionRoom, signOut } from "../sessions.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toSession, toUser } from "./messages.ts";

/** Sessions, however they were opened. */
export function sessionHandlers(room: SessionRoom): AuthHandlers<"checkSession" | "signOut"> {
  return {
    async checkSession({ token }) {
      if (token === "") throw invalid("token", "is required");
      const { user, session, newToken } = await checkSession(room, token);
      return { user: toUser(user), session: toSession(session, newToken) };
    },

    async signOut({ token }) {
      if (token === "") throw invalid("token", "is required");
      await signOut(room, token);
      return {};
    },
  };
}
