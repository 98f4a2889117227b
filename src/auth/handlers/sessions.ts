import { invalid } from "../../base/errors.ts";
import { pageSize } from "../../base/request-fields.ts";
import type { AccountRoom } from "../accounts/account-room.ts";
import { signIn } from "../accounts/password-sign-in.ts";
import { checkSession } from "../sessions/session-checks.ts";
import { listSessions, revokeSessions, signOut } from "../sessions/sessions.ts";
import type { SocialRoom } from "../social/social-sign-in.ts";
import {
  addressField,
  deviceField,
  emailField,
  passwordField,
  placeField,
  placeToken,
  requiredField,
  userIdField,
} from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toSession } from "./messages.ts";
import { type SessionAnswerRoom, sessionAnswer } from "./session-answer.ts";

const MOST_SESSION_IDS = 1_000;
/** In bytes. */
const LONGEST_SESSION_ID = 64;

/** Sessions, however they were opened. */
export function sessionHandlers(
  room: AccountRoom & SocialRoom & SessionAnswerRoom,
): AuthHandlers<"signIn" | "checkSession" | "signOut" | "listSessions" | "revokeSessions"> {
  return {
    async signIn(request, { signal }) {
      const signedIn = await signIn(room, {
        email: emailField("email", request.email),
        password: passwordField("password", request.password),
        origin: {
          device: deviceField("device", request.device),
          address: addressField("address", request.address),
        },
        signal,
      });
      return sessionAnswer(room, signedIn);
    },

    async checkSession({ token }) {
      if (token === "") throw invalid("token", "is required");
      const { user, session, newToken } = await checkSession(room, token);
      return sessionAnswer(room, { user, session, token: newToken });
    },

    async signOut({ token }) {
      if (token === "") throw invalid("token", "is required");
      await signOut(room, token);
      return {};
    },

    async listSessions(request) {
      const after = placeField("page_token", request.pageToken);
      const { sessions, next } = await listSessions(room, {
        userId: userIdField("user_id", request.userId),
        limit: pageSize("page_size", request.pageSize),
        after: after && { createTime: after.time, order: after.number },
      });
      return {
        sessions: sessions.map((session) => toSession(session, "")),
        nextPageToken: next === undefined ? "" : placeToken(next.createTime, next.order),
      };
    },

    async revokeSessions({ userId, sessionIds }) {
      const id = userIdField("user_id", userId);
      if (sessionIds.length > MOST_SESSION_IDS) {
        throw invalid("session_ids", `must be at most ${MOST_SESSION_IDS}`);
      }
      const ids = sessionIds.map((sessionId, nth) =>
        requiredField(`session_ids[${nth}]`, sessionId, LONGEST_SESSION_ID),
      );
      return { count: await revokeSessions(room, id, ids) };
    },
  };
}
