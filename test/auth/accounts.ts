import assert from "node:assert/strict";
import type { Client } from "@connectrpc/connect";
import type { AuditEvent, AuditEventType } from "../../gen/usher/auth/v1/audit_pb.ts";
import type { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import type { User } from "../../gen/usher/auth/v1/user_pb.ts";

/** Strong enough for the default level. */
export const PASSWORD = "xkcd-fan-1";
export const OTHER_PASSWORD = "another-fan-2";

type AuthClient = Client<typeof AuthService>;

/** Registers a user and completes the registration. */
export async function signUp(
  client: AuthClient,
  email: string,
  given: { readonly userId?: string; readonly password?: string } = {},
): Promise<User> {
  const { userId = "", password = PASSWORD } = given;
  const { activationCode } = await client.register({ email, userId });
  const { user } = await client.completeRegistration({ email, code: activationCode, password });
  assert.ok(user);
  return user;
}

/** Signs in. Returns the session's token. */
export async function signIn(
  client: AuthClient,
  email: string,
  password = PASSWORD,
): Promise<string> {
  const { session } = await client.signIn({ email, password });
  assert.ok(session?.token);
  return session.token;
}

/** Everything that happened to a user, the newest first. */
export async function eventsOf(client: AuthClient, userId: string): Promise<AuditEvent[]> {
  const { events, nextPageToken } = await client.listAuditEvents({ userId, pageSize: 1_000 });
  assert.equal(nextPageToken, "");
  return events;
}

/** The newest event of all, or of one user. */
export async function lastEvent(
  client: AuthClient,
  userId = "",
): Promise<{ readonly type: AuditEventType; readonly reason: string; readonly userId: string }> {
  const { events } = await client.listAuditEvents({ userId, pageSize: 1 });
  assert.ok(events[0]);
  return events[0];
}
