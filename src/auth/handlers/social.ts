import { beginSocialAuth, completeSocialAuth, type SocialRoom } from "../social.ts";
import { addressField, deviceField, requiredField, textField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toSession, toUser } from "./messages.ts";

// Bytes. Names and codes are far shorter in fact; the limits keep junk out of logs and URLs.
const LONGEST_PROVIDER = 64;
const LONGEST_URI = 2_048;
const LONGEST_CLIENT_STATE = 4_096;
const LONGEST_CODE = 8_192;
const LONGEST_STATE = 4_096;
const LONGEST_DEVICE_ID = 1_024;

/** Sign-in through a provider. */
export function socialHandlers(room: SocialRoom): AuthHandlers<"getSocialAuthUrl" | "socialAuth"> {
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
        provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
        code: requiredField("code", request.code, LONGEST_CODE),
        state: textField("state", request.state, LONGEST_STATE),
        deviceId: textField("device_id", request.deviceId, LONGEST_DEVICE_ID),
        origin: {
          device: deviceField("device", request.device),
          address: addressField("address", request.address),
        },
        signal,
      });
      const { user, session, token, created, clientState } = signedIn;
      return { user: toUser(user), session: toSession(session, token), created, clientState };
    },
  };
}
