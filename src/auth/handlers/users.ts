import { UserState as WireUserState } from "../../../gen/usher/auth/v1/user_pb.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import { pageSize, pageStart, pageToken } from "../../base/request-fields.ts";
import { emailKeyPrefix } from "../accounts/email.ts";
import { importUsers } from "../accounts/imports.ts";
import { updateProfile } from "../accounts/profiles.ts";
import type { User } from "../repository.ts";
import type { SessionRoom } from "../sessions/sessions.ts";
import { textField, userIdField, userKeyField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { importedUserFields, toImportResult } from "./imported-users.ts";
import { toUser, userStates } from "./messages.ts";
import { profileChangeFields, profileField } from "./profiles.ts";

/** In bytes. */
const LONGEST_EMAIL_PREFIX = 1_024;
const LONGEST_PROVIDER = 64;
const MOST_IMPORTED = 10_000;

/** The calls of administrators: look users up, change, deactivate, delete and import them. */
export function userHandlers(
  room: SessionRoom,
): AuthHandlers<
  | "getUser"
  | "listUsers"
  | "updateProfile"
  | "deactivateUser"
  | "activateUser"
  | "deleteUser"
  | "importUsers"
> {
  const { repository, clock } = room;
  return {
    async getUser({ key }) {
      return { user: toUser(found(await repository.findUser(userKeyField(key)))) };
    },

    async listUsers(request) {
      const after = pageStart("page_token", request.pageToken);
      if (typeof after === "number") {
        throw invalid("page_token", "is not a token that a page has returned");
      }
      const prefix = textField("email_prefix", request.emailPrefix, LONGEST_EMAIL_PREFIX);
      const { users, next } = await repository.listUsers({
        limit: pageSize("page_size", request.pageSize),
        after,
        state: stateField("state", request.state),
        emailKeyPrefix: emailKeyPrefix(prefix),
        provider: textField("provider", request.provider, LONGEST_PROVIDER),
      });
      return { users: users.map(toUser), nextPageToken: next === undefined ? "" : pageToken(next) };
    },

    async updateProfile(request) {
      const profile = profileField("profile", request.profile);
      const user = await updateProfile(room, {
        userId: userIdField("user_id", request.userId),
        profile: profileChangeFields(profile, request.updateMask?.paths ?? []),
      });
      return { user: toUser(user) };
    },

    async deactivateUser(request) {
      const userId = userIdField("user_id", request.userId);
      return { user: toUser(found(await repository.deactivateUser({ userId, now: clock.now() }))) };
    },

    async activateUser(request) {
      const userId = userIdField("user_id", request.userId);
      return { user: toUser(found(await repository.activateUser({ userId, now: clock.now() }))) };
    },

    async deleteUser(request) {
      const userId = userIdField("user_id", request.userId);
      const deleted = await repository.deleteUser({ userId, now: clock.now() });
      if (!deleted) throw new UsherError("USER_NOT_FOUND");
      return {};
    },

    async importUsers({ users }) {
      if (users.length === 0) throw invalid("users", "is required");
      if (users.length > MOST_IMPORTED) throw invalid("users", `has more than ${MOST_IMPORTED}`);
      const results = await importUsers(room, importedUserFields(users));
      return { results: results.map(toImportResult) };
    },
  };
}

function found(user: User | undefined): User {
  if (user === undefined) throw new UsherError("USER_NOT_FOUND");
  return user;
}

function stateField(field: string, state: WireUserState) {
  if (state === WireUserState.UNSPECIFIED) return undefined;
  const known = userStates.get(state);
  if (known === undefined) throw invalid(field, "is not a state that is known");
  return known;
}
