import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SessionSchema } from "../../../gen/usher/auth/v1/sessions_pb.ts";
import type { UserSchema } from "../../../gen/usher/auth/v1/user_pb.ts";
import type { AccessTokens } from "../access-tokens/access-tokens.ts";
import type { Session, User } from "../repository.ts";
import { toSession, toUser } from "./messages.ts";

export interface SessionAnswerRoom {
  readonly accessTokens: AccessTokens;
}

/** A live session, as what answers about it is told. */
interface LiveSession {
  readonly user: User;
  readonly session: Session;
  /** Empty where the one in hand stays. */
  readonly token: string;
}

/**
 * What every answer about a live session has. The messages are made when they are asked for: the
 * codec of CheckSession reads what they are made of instead.
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
