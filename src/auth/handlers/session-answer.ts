import type { AccessTokens } from "../access-tokens.ts";
import type { Session, User } from "../repository.ts";
import { toSession, toUser } from "./messages.ts";

export interface SessionAnswerRoom {
  readonly accessTokens: AccessTokens;
}

/** What every answer about a live session has. `token` is empty where the one in hand stays. */
export async function sessionAnswer(
  { accessTokens }: SessionAnswerRoom,
  {
    user,
    session,
    token,
  }: { readonly user: User; readonly session: Session; readonly token: string },
) {
  const accessToken = await accessTokens.issue({ userId: user.id, sessionId: session.id });
  return { user: toUser(user), session: toSession(session, token), accessToken };
}
