import type { AccountRoom } from "../accounts/account-room.ts";
import {
  changePassword,
  completePasswordReset,
  requestPasswordReset,
} from "../accounts/password-changes.ts";
import { completeRegistration, register } from "../accounts/registration.ts";
import {
  emailField,
  optionalUserIdField,
  passwordField,
  requiredField,
  userIdField,
} from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toUser } from "./messages.ts";

/** In bytes. Far longer than any that Usher makes. */
const LONGEST_CODE = 1_024;

/** Registration, and changes of passwords. */
export function accountHandlers(
  room: AccountRoom,
): AuthHandlers<
  | "register"
  | "completeRegistration"
  | "changePassword"
  | "requestPasswordReset"
  | "completePasswordReset"
> {
  return {
    async register(request) {
      const { user, activationCode } = await register(room, {
        email: emailField("email", request.email),
        userId: optionalUserIdField("user_id", request.userId) || undefined,
      });
      return { user: toUser(user), activationCode };
    },

    async completeRegistration(request, { signal }) {
      const user = await completeRegistration(room, {
        email: emailField("email", request.email),
        code: requiredField("code", request.code, LONGEST_CODE),
        password: request.password,
        signal,
      });
      return { user: toUser(user) };
    },

    async changePassword(request, { signal }) {
      await changePassword(room, {
        userId: userIdField("user_id", request.userId),
        oldPassword: passwordField("old_password", request.oldPassword),
        newPassword: request.newPassword,
        keepSessionToken: request.keepSessionToken,
        signal,
      });
      return {};
    },

    async requestPasswordReset({ email }) {
      return requestPasswordReset(room, emailField("email", email));
    },

    async completePasswordReset(request, { signal }) {
      await completePasswordReset(room, {
        email: emailField("email", request.email),
        resetToken: requiredField("reset_token", request.resetToken, LONGEST_CODE),
        password: request.password,
        signal,
      });
      return {};
    },
  };
}
