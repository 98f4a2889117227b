import { createHmac } from "node:crypto";
import type { FacebookSettings } from "../settings.ts";
import { type OAuthTable, oauthProvider, type ProviderTools, under } from "./oauth.ts";
import type { Provider } from "./provider.ts";
import { readEmail, readId, readObject, readProfile } from "./read.ts";

/**
 * The Graph API's codes for what is wrong with the user's side of a login: 102 and 190 are a login
 * that is over or revoked, 100 is the code itself (malformed, used, over, for another redirect
 * URI). Others are about the application (1, 101, 191), limits (4, 17) or the API being down (2).
 */
const LOGIN_OVER: readonly unknown[] = [102, 190];
const WRONG_CODE: readonly unknown[] = [100, ...LOGIN_OVER];

const table: OAuthTable<FacebookSettings> = {
  name: "facebook",
  scopeSeparator: ",",
  authUrl: ({ authUrl }) => authUrl,
  token: { method: "GET", url: ({ graphUrl }) => under(graphUrl, "oauth/access_token") },
  profile: {
    method: "GET",
    url: ({ graphUrl }) => under(graphUrl, "me"),
    parameters: ({ clientSecret }, accessToken) => ({
      fields: "id,email,first_name,last_name",
      access_token: accessToken,
      // Proves that the token is used by its application; Facebook can be set to insist on it.
      appsecret_proof: createHmac("sha256", clientSecret).update(accessToken).digest("hex"),
    }),
  },
  refusesCode(body) {
    const { type, code } = readObject(body, "error");
    return type === "OAuthException" && (code === undefined || WRONG_CODE.includes(code));
  },
  endsConsent: (body) => LOGIN_OVER.includes(readObject(body, "error")["code"]),
  refusalDetails(body) {
    const error = readObject(body, "error");
    return { code: numberOf(error["code"]), subcode: numberOf(error["error_subcode"]) };
  },
  readIdentity(body, { trustEmail }) {
    const socialId = readId(body["id"]);
    if (socialId === undefined) return undefined;
    const email = readEmail(body, "email");
    return {
      socialId,
      email,
      // Facebook does not say whether it has verified an email.
      emailVerified: trustEmail && email !== undefined,
      ...readProfile(body, { firstName: "first_name", lastName: "last_name" }),
    };
  },
};

/** Facebook Login by the Graph API. */
export function facebook(settings: FacebookSettings, tools: ProviderTools): Provider {
  return oauthProvider(table, settings, tools);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
