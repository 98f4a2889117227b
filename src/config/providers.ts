import { z } from "zod";
import {
  baseUrl,
  choice,
  duration,
  exactUrl,
  flag,
  secret,
  text,
  webUrls,
  words,
} from "./setting-types.ts";

/** The settings that every provider has, described in words for one of them. */
function oauthSettings(
  { who, application, clientSecret }: Words,
  { scope, trustEmail }: { readonly scope: readonly string[]; readonly trustEmail: string },
) {
  const off = `Without it, sign-in by ${who} is off.`;
  return {
    clientId: text(`The id of ${application}. ${off}`),
    clientSecret: secret(`${clientSecret} ${off}`),
    redirectUris: webUrls(
      `Where ${who} may send users back to; a request names exactly one of these.`,
    ),
    scope: words(scope, "What a user is asked to share."),
    trustEmail: flag(
      false,
      `${trustEmail}: whoever controls an account at ${who} with an email then signs in as the user with that email.`,
    ),
    allowUnsolicitedCodes: flag(
      false,
      `Accepts a code without a state, for front ends that send users to ${who} themselves. Such front ends must keep and compare a state of their own.`,
    ),
    requestTimeout: duration("3s", `How long one request to ${who} may take.`, {
      min: "1ms",
      max: "5m",
    }),
  };
}

interface Words {
  readonly who: string;
  readonly application: string;
  /** It is a sentence. */
  readonly clientSecret: string;
}

const LOGIN_PAGE = "The page that asks the user.";

const facebook = z.object({
  ...oauthSettings(
    { who: "Facebook", application: "the app", clientSecret: "The app's secret." },
    {
      scope: ["email", "public_profile"],
      trustEmail: "Takes the emails that Facebook gives for verified, though it does not say so",
    },
  ),
  graphUrl: baseUrl("https://graph.facebook.com/v26.0", "The Graph API, with its version."),
  authUrl: baseUrl("https://www.facebook.com/v26.0/dialog/oauth", LOGIN_PAGE),
});

const google = z.object({
  ...oauthSettings(
    { who: "Google", application: "the OAuth client", clientSecret: "The client's secret." },
    {
      scope: ["openid", "email", "profile"],
      trustEmail: "Takes the emails that Google does not say to be verified for verified too",
    },
  ),
  offline: flag(
    true,
    "Asks Google for a refresh token, without which consent cannot be checked again later. Google then asks the user to consent at every sign-in.",
  ),
  authUrl: baseUrl("https://accounts.google.com/o/oauth2/v2/auth", LOGIN_PAGE),
  tokenUrl: baseUrl("https://oauth2.googleapis.com/token", "Where codes become tokens."),
  userinfoUrl: baseUrl(
    "https://openidconnect.googleapis.com/v1/userinfo",
    "Where the profile is read.",
  ),
});

const vk = z.object({
  flow: choice(
    ["vk_id", "classic"],
    "vk_id",
    "VK ID, or the flow of applications that are older than VK ID.",
  ),
  ...oauthSettings(
    {
      who: "VK",
      application: "the application",
      clientSecret: "The application's service token, or for the classic flow its secure key.",
    },
    {
      scope: ["email"],
      trustEmail: "Takes the emails that VK gives for verified, though it does not say so",
    },
  ),
  idUrl: baseUrl("https://id.vk.ru", "VK ID: its login page, tokens and profiles."),
  oauthUrl: baseUrl("https://oauth.vk.ru", "The classic flow's login page and tokens."),
  apiUrl: baseUrl("https://api.vk.ru/method", "The classic flow's API, where profiles are read."),
});

const oidc = z.object({
  issuer: exactUrl(
    "The provider's issuer, as its metadata at `/.well-known/openid-configuration` has it. Without it, the provider is off.",
  ),
  ...oauthSettings(
    {
      who: "the provider",
      application: "the client at the provider",
      clientSecret: "The client's secret.",
    },
    {
      scope: ["openid", "email", "profile"],
      trustEmail: "Takes the emails that the provider does not say to be verified for verified too",
    },
  ),
  clientAuth: choice(
    ["client_secret_basic", "client_secret_post"],
    "client_secret_basic",
    "How the client proves itself to the provider, as it is registered there.",
  ),
});

/** The settings of each provider. OpenID providers have a group each, by a name that users choose. */
export const providerSettings = { facebook, google, vk, oidc: z.record(z.string(), oidc) };
