import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext } from "node:test";
import type { Client } from "@connectrpc/connect";
import type { Browser } from "playwright-core";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { DAY, defaultSettings, refused, startRoom } from "../auth/room.ts";
import { startChromium, withoutChromium } from "../support/chromium.ts";
import { test } from "../support/on-each-storage.ts";
import { type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts";
import { clientOf, startService } from "../support/service.ts";

const CLIENT = { clientId: "usher", clientSecret: "a secret of the client: 100% +/&" };

/** The page of the application that the provider sends browsers back to. */
async function startApplication(t: TestContext): Promise<string> {
  const server = createServer((_request, response) => response.end("signed in"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/back`;
}

interface Setup {
  readonly client: Client<typeof AuthService>;
  readonly provider: OpenIdProvider;
  readonly browser: Browser;
  readonly redirectUri: string;
}

/** The whole service, a provider and a browser. */
async function startAll(t: TestContext): Promise<Setup> {
  const redirectUri = await startApplication(t);
  const provider = await startOpenIdProvider(t, { ...CLIENT, redirectUri });
  const usher = await startService(t, {
    USHER_AUTH_OIDC_ACME_ISSUER: provider.issuer,
    USHER_AUTH_OIDC_ACME_CLIENT_ID: CLIENT.clientId,
    USHER_AUTH_OIDC_ACME_CLIENT_SECRET: CLIENT.clientSecret,
    USHER_AUTH_OIDC_ACME_REDIRECT_URIS: redirectUri,
  });
  const browser = await startChromium(t);
  return { client: clientOf(usher, AuthService), provider, browser, redirectUri };
}

/** Signs in as a person does and consents. Returns what the browser is sent back with. */
async function signInByHand(
  browser: Browser,
  url: string,
  redirectUri: string,
  login = "ann",
): Promise<{ code: string; state: string }> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.getByPlaceholder("Enter any login").fill(login);
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL(`${redirectUri}?*`);
    const { searchParams } = new URL(page.url());
    return { code: searchParams.get("code") ?? "", state: searchParams.get("state") ?? "" };
  } finally {
    await context.close();
  }
}

/** GetSocialAuthUrl and the pages of the provider, whose URL may be changed on the way. */
async function beginByHand(
  { client, browser, redirectUri }: Setup,
  change: (url: URL) => void = () => {},
): Promise<{ provider: string; code: string; state: string }> {
  const { url } = await client.getSocialAuthUrl({ provider: "acme", redirectUri });
  const changed = new URL(url);
  change(changed);
  return { provider: "acme", ...(await signInByHand(browser, changed.href, redirectUri)) };
}

describe("A real OpenID provider, its pages walked in a real browser,", {
  skip: withoutChromium,
}, () => {
  test("signs a user in, with the profile and the email it vouches for", async (t) => {
    const setup = await startAll(t);
    const { client } = setup;
    const answer = await client.socialAuth(await beginByHand(setup));
    assert.equal(answer.created, true);
    assert.equal(answer.user?.email, "ann@example.com");
    assert.equal(answer.user?.profile?.firstName, "Ann");
    assert.equal(answer.user?.profile?.lastName, "Lee");
    assert.equal(answer.user?.socialAccounts[0]?.provider, "acme");
    assert.equal(answer.user?.socialAccounts[0]?.socialId, "ann");
    const token = answer.session?.token ?? "";
    assert.equal((await client.checkSession({ token })).user?.id, answer.user?.id);
    const again = await client.socialAuth(await beginByHand(setup));
    assert.equal(again.created, false);
    assert.equal(again.user?.id, answer.user?.id);
  });

  test("gives codes and gets states that work once", async (t) => {
    const setup = await startAll(t);
    const { client, redirectUri } = setup;
    const begun = await beginByHand(setup);
    await client.socialAuth(begun);
    await refused(client.socialAuth(begun), "WRONG_STATE");
    const fresh = await client.getSocialAuthUrl({ provider: "acme", redirectUri });
    const replayed = { ...begun, state: fresh.state };
    await refused(client.socialAuth(replayed), "WRONG_AUTH_CODE");
  });

  test("gives codes that are good only with the state they were asked with", async (t) => {
    const setup = await startAll(t);
    const { client, redirectUri } = setup;
    const stolen = await beginByHand(setup);
    const own = await client.getSocialAuthUrl({ provider: "acme", redirectUri });
    const injected = { ...stolen, state: own.state };
    await refused(client.socialAuth(injected), "WRONG_AUTH_CODE");
  });

  test("is not believed with another nonce than it should have been given", async (t) => {
    const setup = await startAll(t);
    const begun = await beginByHand(setup, ({ searchParams }) => {
      searchParams.set("nonce", "another");
    });
    await refused(setup.client.socialAuth(begun), "SOCIAL_AUTH_ERROR");
  });

  test("may change its keys at any time", async (t) => {
    const setup = await startAll(t);
    const { client, provider } = setup;
    await client.socialAuth(await beginByHand(setup));
    await provider.rotateKeys();
    await client.socialAuth(await beginByHand(setup));
  });

  test("ends the session when the user withdraws consent there", async (t) => {
    const redirectUri = await startApplication(t);
    const provider = await startOpenIdProvider(t, { ...CLIENT, redirectUri });
    const browser = await startChromium(t);
    const acme = {
      ...defaultSettings().google,
      ...CLIENT,
      issuer: provider.issuer,
      redirectUris: [redirectUri],
      scopes: ["openid", "email", "profile", "offline_access"],
      requestTimeoutMs: 10_000,
      clientAuth: "client_secret_basic",
    } as const;
    const { client, clock } = await startRoom(t, { settings: { oidc: { acme } } });
    const { user, session } = await client.socialAuth(
      await beginByHand({ client, provider, browser, redirectUri }),
    );
    const token = session?.token ?? "";
    clock.step(2 * DAY);
    assert.equal((await client.checkSession({ token })).user?.id, user?.id);
    await provider.withdrawConsent();
    clock.step(2 * DAY);
    await refused(client.checkSession({ token }), "NOT_AUTHENTICATED");
  });
});
