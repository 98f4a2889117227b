import type { VkSettings } from "../settings.ts";
import type { JsonObject } from "./http.ts";
import { type OAuthTable, oauthProvider, type ProviderTools, under } from "./oauth.ts";
import type { Identity, Provider } from "./provider.ts";
import { readEmail, readErrorWord, readId, readObject, readProfile } from "./read.ts";

/** The version of the classic API whose answers are read here. */
const API_VERSION = "5.199";

/** The classic API's codes for a token that is over or revoked, and for a user who is gone. */
const CONSENT_OVER: readonly unknown[] = [5, 18];

/** VK ID (OAuth 2.1): its own names for the secret and the device, and the state once more. */
const vkId: OAuthTable<VkSettings> = {
  name: "vk",
  scopeSeparator: " ",
  needsDeviceId: true,
  authUrl: ({ idUrl }) => under(idUrl, "authorize"),
  token: {
    method: "POST",
    url: ({ idUrl }) => under(idUrl, "oauth2/auth"),
    parameters: ({ clientSecret }, { deviceId, state }) => ({
      grant_type: "authorization_code",
      client_secret: "",
      service_token: clientSecret,
      device_id: deviceId,
      state,
    }),
  },
  refresh: {
    method: "POST",
    url: ({ idUrl }) => under(idUrl, "oauth2/auth"),
    parameters: ({ clientSecret }, { deviceId }) => ({
      client_secret: "",
      service_token: clientSecret,
      device_id: deviceId,
    }),
  },
  profile: {
    method: "POST",
    url: ({ idUrl }) => under(idUrl, "oauth2/user_info"),
    parameters: ({ clientId }, accessToken) => ({
      client_id: clientId,
      access_token: accessToken,
    }),
  },
  endsConsent: (body) => body["error"] === "invalid_token",
  refusalDetails: (body) => ({ error: readErrorWord(body) }),
  readIdentity(body, settings) {
    const user = readObject(body, "user");
    return identityOf(user["user_id"], user, user, settings, "avatar");
  },
};

/** The flow before VK ID: an email comes with the token or not at all, and refusals come with 200. */
const classic: OAuthTable<VkSettings> = {
  name: "vk",
  scopeSeparator: ",",
  authUrl: ({ oauthUrl }) => under(oauthUrl, "authorize"),
  authParameters: ({ scopes }) => ({
    v: API_VERSION,
    // Without it the token would end soon, and VK could not be asked again.
    scope: [...new Set([...scopes, "offline"])].join(","),
  }),
  token: { method: "GET", url: ({ oauthUrl }) => under(oauthUrl, "access_token") },
  profile: {
    method: "POST",
    url: ({ apiUrl }) => under(apiUrl, "users.get"),
    parameters: (_settings, accessToken) => ({
      fields: "photo_200",
      access_token: accessToken,
      v: API_VERSION,
    }),
  },
  endsConsent: (body) => CONSENT_OVER.includes(readObject(body, "error")["error_code"]),
  refusalDetails(body) {
    const code = readObject(body, "error")["error_code"];
    return { error: readErrorWord(body), code: typeof code === "number" ? code : undefined };
  },
  readIdentity(body, settings, token) {
    const { response } = body;
    const user = Array.isArray(response) ? readObject({ user: response[0] }, "user") : {};
    return identityOf(user["id"], user, token, settings, "photo_200");
  },
};

/** VK, by VK ID or by the flow before it. */
export function vk(settings: VkSettings, tools: ProviderTools): Provider {
  return oauthProvider(settings.flow === "classic" ? classic : vkId, settings, tools);
}

function identityOf(
  id: unknown,
  user: JsonObject,
  hasEmail: JsonObject,
  { trustEmail }: VkSettings,
  picture: string,
): Identity | undefined {
  const socialId = readId(id);
  if (socialId === undefined) return undefined;
  const email = readEmail(hasEmail, "email");
  return {
    socialId,
    email,
    // VK does not say whether it has verified an email.
    emailVerified: trustEmail && email !== undefined,
    ...readProfile(user, { firstName: "first_name", lastName: "last_name", picture }),
  };
}
