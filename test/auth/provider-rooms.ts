import type { TestContext } from "node:test";
import type { GoogleSettings, OAuthSettings, OidcSettings } from "../../src/auth/settings.ts";
import { startGoogle } from "./google-stand-in.ts";
import { startOpenId } from "./openid-stand-in.ts";
import {
  CLIENT_SECRET,
  defaultSettings,
  REDIRECT_URI,
  type Room,
  startRoom,
  TIMEOUT_MS,
} from "./room.ts";
import type { StandIn } from "./stand-in.ts";
import { startVk } from "./vk-stand-in.ts";

/** A room with one more provider than Facebook, whose stand-in can misbehave. */
export interface ProviderRoom extends Room {
  readonly provider: string;
  readonly standIn: StandIn;
  readonly clientSecret: string;
}

type StartProviderRoom = (t: TestContext, given?: Partial<OAuthSettings>) => Promise<ProviderRoom>;

const common = { redirectUris: [REDIRECT_URI], requestTimeoutMs: TIMEOUT_MS };

export async function startGoogleRoom(t: TestContext, given: Partial<GoogleSettings> = {}) {
  const standIn = await startGoogle();
  t.after(() => standIn.close());
  const google = { ...defaultSettings().google, ...common, ...standIn.settings, ...given };
  const room = await startRoom(t, { settings: { google } });
  return { ...room, provider: "google", standIn, clientSecret: standIn.clientSecret };
}

export async function startVkRoom(
  t: TestContext,
  given: Partial<OAuthSettings> = {},
  flow: "vk_id" | "classic" = "vk_id",
) {
  const standIn = await startVk();
  t.after(() => standIn.close());
  const vk = { ...defaultSettings().vk, ...common, ...standIn.settings, flow, ...given };
  const room = await startRoom(t, { settings: { vk } });
  return { ...room, provider: "vk", standIn, clientSecret: standIn.clientSecret };
}

/** The OpenID provider is called `acme`. */
export async function startOpenIdRoom(t: TestContext, given: Partial<OidcSettings> = {}) {
  const standIn = await startOpenId();
  t.after(() => standIn.close());
  const acme = {
    issuer: "",
    clientId: "",
    clientSecret: "",
    scopes: ["openid", "email", "profile"],
    trustEmail: false,
    allowUnsolicitedCodes: false,
    clientAuth: "client_secret_basic" as const,
    ...common,
    ...standIn.settings,
    ...given,
  };
  const room = await startRoom(t, { settings: { oidc: { acme } } });
  return { ...room, provider: "acme", standIn, clientSecret: standIn.clientSecret };
}

/** Every kind of provider. */
export const providerRooms: Readonly<Record<string, StartProviderRoom>> = {
  async Facebook(t, given = {}) {
    const room = await startRoom(t, { facebook: given });
    return { ...room, provider: "facebook", standIn: room.graph, clientSecret: CLIENT_SECRET };
  },
  Google: startGoogleRoom,
  "VK ID": startVkRoom,
  "VK by the classic flow": (t, given) => startVkRoom(t, given, "classic"),
  "an OpenID provider": startOpenIdRoom,
};
