import { randomUUID } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import Provider, { type Configuration } from "oidc-provider";

/** A real OpenID provider with its login pages, on a port of 127.0.0.1. */
export interface OpenIdProvider {
  readonly issuer: string;
  /** Restarts it with other keys. */
  rotateKeys(): Promise<void>;
  /** What users consented to so far they take back. */
  withdrawConsent(): Promise<void>;
}

export interface OpenIdClient {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUri: string;
}

/** Any login and any password will do; the login is the subject and the name in the email. */
export async function startOpenIdProvider(
  t: TestContext,
  client: OpenIdClient,
): Promise<OpenIdProvider> {
  let serve: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cookieKey = randomUUID();
  const grantIds = new Set<string>();
  let provider: Provider;

  async function start(): Promise<void> {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: "RS256", use: "sig" };
    provider = new Provider(issuer, configurationFor(client, [key], cookieKey));
    provider.on("grant.success", ({ oidc }) => {
      const grantId = oidc.entities.Grant?.jti;
      if (grantId !== undefined) grantIds.add(grantId);
    });
    const handle = provider.callback();
    serve = (request, response) => void handle(request, response);
  }

  await start();
  return {
    issuer,
    rotateKeys: start,
    async withdrawConsent() {
      for (const id of grantIds) await (await provider.Grant.find(id))?.destroy();
    },
  };
}

function configurationFor(
  { clientId, clientSecret, redirectUri }: OpenIdClient,
  keys: NonNullable<Configuration["jwks"]>["keys"],
  cookieKey: string,
): Configuration {
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    ],
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["given_name", "family_name"],
    },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        given_name: "Ann",
        family_name: "Lee",
      }),
    }),
  };
}
