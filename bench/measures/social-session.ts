import { graphAnswers, startGraphStandIn } from "../../src/app/demo/graph-stand-in.ts";
import type { Bench } from "../run/bench.ts";
import { Usher } from "../systems/usher.ts";

const APP = { clientId: "bench", clientSecret: "bench-secret" };
const PERSON = { id: "1", email: "ada@example.com", first_name: "Ada", last_name: "Lovelace" };
const REDIRECT_URI = "http://127.0.0.1/signed-in";

/** An Usher with a user who has signed in through a local stand-in for Facebook. */
export async function startWithSession(
  bench: Bench,
  stack: AsyncDisposableStack,
  root?: string,
): Promise<{ usher: Usher; token: string }> {
  const facebook = await startGraphStandIn(graphAnswers(APP, PERSON));
  stack.defer(() => facebook.close());
  const usher = await Usher.start(bench, stack, {
    root,
    env: {
      USHER_AUTH_FACEBOOK_CLIENT_ID: APP.clientId,
      USHER_AUTH_FACEBOOK_CLIENT_SECRET: APP.clientSecret,
      USHER_AUTH_FACEBOOK_REDIRECT_URIS: REDIRECT_URI,
      USHER_AUTH_FACEBOOK_GRAPH_URL: facebook.graphUrl,
      USHER_AUTH_FACEBOOK_AUTH_URL: facebook.authUrl,
    },
  });
  const provider = "facebook";
  const { url } = await usher.auth.getSocialAuthUrl({ provider, redirectUri: REDIRECT_URI });
  const login = await fetch(url, { redirect: "manual" });
  const back = new URL(login.headers.get("location") ?? "").searchParams;
  const { session } = await usher.auth.socialAuth({
    provider,
    code: back.get("code") ?? "",
    state: back.get("state") ?? "",
  });
  return { usher, token: session?.token ?? "" };
}
