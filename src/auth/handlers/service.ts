import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/usher/auth/v1/auth_pb.ts";
import type { Clock } from "../../clock.ts";
import { invalid, UsherError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { createProviderHttp } from "../provider-http.ts";
import { createProviders } from "../providers/registry.ts";
import type { AuthRepository, KeyStore } from "../repository.ts";
import { createSealer } from "../sealing.ts";
import { checkSession, signOut } from "../sessions.ts";
import type { AuthSettings } from "../settings.ts";
import { beginSocialAuth, completeSocialAuth } from "../social.ts";
import { addressField, deviceField, requiredField, textField, userKeyField } from "./fields.ts";
import { toSession, toUser } from "./messages.ts";

/** What AuthService is made of. */
export interface AuthParts {
  readonly repository: AuthRepository;
  readonly keys: KeyStore;
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/** AuthService, ready to be put on a wire. */
export interface AuthRoom {
  /** The calls that are there; the others are unimplemented. They throw `UsherError`. */
  readonly implementation: Partial<ServiceImpl<typeof AuthService>>;
  /** Closes the connections to providers. Call it when no call is under way any more. */
  close(): Promise<void>;
}

// Bytes. Names and codes are far shorter in fact; the limits keep junk out of logs and URLs.
const LONGEST_PROVIDER = 64;
const LONGEST_URI = 2_048;
const LONGEST_CLIENT_STATE = 4_096;
const LONGEST_CODE = 8_192;
const LONGEST_STATE = 4_096;
const LONGEST_DEVICE_ID = 1_024;

export function createAuthService({ repository, keys, settings, clock, log }: AuthParts): AuthRoom {
  const http = createProviderHttp(log);
  const room = {
    repository,
    settings,
    providers: createProviders(settings, { http, log }),
    sealer: createSealer(keys),
    clock,
  };

  const implementation: AuthRoom["implementation"] = {
    async getUser({ key }) {
      const user = await repository.findUser(userKeyField(key));
      if (user === undefined) throw new UsherError("USER_NOT_FOUND");
      return { user: toUser(user) };
    },

    async getSocialAuthUrl(request) {
      return beginSocialAuth(room, {
        provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
        redirectUri: requiredField("redirect_uri", request.redirectUri, LONGEST_URI),
        clientState: textField("client_state", request.clientState, LONGEST_CLIENT_STATE),
      });
    },

    async socialAuth(request, { signal }) {
      // Only VK ID has one, but junk is told to whoever sends it to another provider.
      textField("device_id", request.deviceId, LONGEST_DEVICE_ID);
      const signedIn = await completeSocialAuth(room, {
        provider: requiredField("provider", request.provider, LONGEST_PROVIDER),
        code: requiredField("code", request.code, LONGEST_CODE),
        state: textField("state", request.state, LONGEST_STATE),
        origin: {
          device: deviceField("device", request.device),
          address: addressField("address", request.address),
        },
        signal,
      });
      const { user, session, token, created, clientState } = signedIn;
      return { user: toUser(user), session: toSession(session, token), created, clientState };
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
  return { implementation, close: () => http.close() };
}
