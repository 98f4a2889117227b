import type { AuthSettings } from "../settings.ts";
import { facebook } from "./facebook.ts";
import { google } from "./google.ts";
import type { ProviderTools } from "./oauth.ts";
import { oidc } from "./oidc.ts";
import type { Provider } from "./provider.ts";
import { vk } from "./vk.ts";

/** Every provider that Usher knows, by name, those that are off included. */
export function createProviders(
  settings: AuthSettings,
  tools: ProviderTools,
): ReadonlyMap<string, Provider> {
  const providers = [
    facebook(settings.facebook, tools),
    google(settings.google, tools),
    vk(settings.vk, tools),
    ...Object.entries(settings.oidc).map(([name, own]) => oidc(name, own, tools)),
  ];
  return new Map(providers.map((provider) => [provider.name, provider]));
}
