import { invalid } from "../../errors.ts";
import type { AccountRoom } from "../accounts.ts";
import { signIn } from "../password-sign-in.ts";
import { checkSession, signOut } from "../sessions.ts";
import { addressField, deviceField, emailField, passwordField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toSession, toUser } from "./messages.ts";

/** Sessions, however they were opened. */
export function sessionHandlers(
  room: AccountRoom,
): AuthHandlers<"signIn" | "checkSession" | "signOut"> {
  return {
    async signIn(request, { signal }) {
      const { user, session, token } = await signIn(room, {
        email: emailField("email", request.email),
        password: passwordField("password", request.password),
        origin: {
          device: deviceField("device", request.device),
          address: addressField("address", request.address),
        },
        signal,
      });
      return { user: toUser(user), session: toSession(session, token) };
    },

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
