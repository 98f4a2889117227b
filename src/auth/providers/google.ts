import type { GoogleSettings } from "../settings.ts";
import { type OAuthTable, oauthProvider, type ProviderTools } from "./oauth.ts";
import type { Provider } from "./provider.ts";
import { readErrorWord, readOpenIdClaims } from "./read.ts";

const table: OAuthTable<GoogleSettings> = {
  name: "google",
  scopeSeparator: " ",
  authUrl: ({ authUrl }) => authUrl,
  // Google gives a refresh token only if one is asked for and the user is asked for consent.
  authParameters: ({ offline }) =>
    offline ? { access_type: "offline", prompt: "consent" } : { access_type: "online" },
  token: {
    method: "POST",
    url: ({ tokenUrl }) => tokenUrl,
    parameters: () => ({ grant_type: "authorization_code" }),
  },
  refresh: { method: "POST", url: ({ tokenUrl }) => tokenUrl },
  profile: { method: "GET", url: ({ userinfoUrl }) => userinfoUrl, bearer: true },
  refusalDetails: (body) => ({ error: readErrorWord(body) }),
  readIdentity: (body, { trustEmail }) => readOpenIdClaims(body, trustEmail),
};

/** Sign in with Google. */
export function google(settings: GoogleSettings, tools: ProviderTools): Provider {
  return oauthProvider(table, settings, tools);
}
