import { invalid } from "../../base/errors.ts";
import {
  type BroughtBack,
  beginSocialAuth,
  completeSocialAuth,
  linkSocialAccount,
  type SocialRoom,
  unlinkSocialAccount,
} from "../social/social-sign-in.ts";
import { addressField, deviceField, requiredField, textField, userIdField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toUser } from "./messages.ts";
import { type SessionAnswerRoom, sessionAnswer } from "./session-answer.ts";

// Bytes. Names and codes are far shorter in fact; the limits keep junk out of logs and URLs.
const LONGEST_PROVIDER = 64;
const LONGEST_URI = 2_048;
const LONGEST_CLIENT_STATE = 4_096;
const LONGEST_CODE = 8_192;
const LONGEST_STATE = 4_096;
const LONGEST_DEVICE_ID = 1_024;

/** Sign-in through a provider. */
export function socialHandlers(
  room: SocialRoom & SessionAnswerRoom,
): AuthHandlers<"getSocialAuthUrl" | "socialAuth" | "linkSocialAccount" | "unlinkSocialAccount"> {
  return {
    async getSocialAuthUrl(request, { signal }) {
      return beginSocialAuth(room, {
        provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
        redirectUri: requiredField("redirect_uri", request.redirectUri, LONGEST_URI),
        clientState: textField("client_state", request.clientState, LONGEST_CLIENT_STATE),
        signal,
      });
    },

    async socialAuth(request, { signal }) {
      const signedIn = await completeSocialAuth(room, {
        ...broughtBack(request, signal),
        origin: {
          device: deviceField("device", request.device),
          address: addressField("address", request.address),
        },
      });
      const { created, clientState } = signedIn;
      const { user, session, accessToken } = await sessionAnswer(room, signedIn);
      return { user, session, accessToken, created, clientState };
    },

    async linkSocialAccount(request, { signal }) {
      if (request.token === "") throw invalid("token", "is required");
      const { user, clientState } = await linkSocialAccount(room, {
        ...broughtBack(request, signal),
        token: request.token,
      });
      return { user: toUser(user), clientState };
    },

    async unlinkSocialAccount(request) {
      const user = await unlinkSocialAccount(room, {
        userId: userIdField("user_id", request.userId),
        provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
      });
      return { user: toUser(user) };
    },
  };
}

function broughtBack(
  request: Pick<BroughtBack, "provider" | "code" | "state" | "deviceId">,
  signal: AbortSignal,
): BroughtBack {
  return {
    provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
    code: requiredField("code", request.code, LONGEST_CODE),
    state: textField("state", request.state, LONGEST_STATE),
    deviceId: textField("device_id", request.deviceId, LONGEST_DEVICE_ID),
    signal,
  };
}
