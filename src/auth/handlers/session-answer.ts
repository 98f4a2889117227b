import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SessionSchema } from "../../../gen/usher/auth/v1/sessions_pb.ts";
import type { UserSchema } from "../../../gen/usher/auth/v1/user_pb.ts";
import type { AccessTokens } from "../access-tokens/access-tokens.ts";
import type { Session, User } from "../repository.ts";
import { toSession, toUser } from "./messages.ts";

export interface SessionAnswerRoom {
  readonly accessTokens: AccessTokens;
}

/** A live session, for an answer about it. */
interface LiveSession {
  readonly user: User;
  readonly session: Session;
  /** Empty if the caller's token stays valid. */
  readonly token: string;
}

/**
 * The part that every answer about a live session has. Its messages are made when they are asked
 * for. The codec of CheckSession asks for none and reads the user and session themselves.
 */
export class SessionAnswer {
  readonly live: LiveSession;
  readonly accessToken: string;

  constructor(live: LiveSession, accessToken: string) {
    this.live = live;
    this.accessToken = accessToken;
  }

  get user(): MessageInitShape<typeof UserSchema> {
    return toUser(this.live.user);
  }

  get session(): MessageInitShape<typeof SessionSchema> {
    return toSession(this.live.session, this.live.token);
  }
}

export function sessionAnswer(
  { accessTokens }: SessionAnswerRoom,
  live: LiveSession,
): SessionAnswer | Promise<SessionAnswer> {
  const { user, session } = live;
  const token = accessTokens.issue({ userId: user.id, sessionId: session.id });
  return typeof token === "string"
    ? new SessionAnswer(live, token)
    : token.then((accessToken) => new SessionAnswer(live, accessToken));
}
