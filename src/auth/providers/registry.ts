import type { AuthSettings } from "../settings.ts";
import { facebook } from "./facebook.ts";
import type { ProviderTools } from "./oauth.ts";
import type { Provider } from "./provider.ts";

/** Every provider that Usher knows, by name, those that are off included. */
export function createProviders(
  settings: AuthSettings,
  tools: ProviderTools,
): ReadonlyMap<string, Provider> {
  const providers = [facebook(settings.facebook, tools)];
  return new Map(providers.map((provider) => [provider.name, provider]));
}
