import { createHash, createHmac, randomBytes } from "node:crypto";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The application that signs users in, as Facebook knows it. */
export interface GraphApp {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Who is signed in at the stand-in, in the Graph API's own words. */
export interface GraphPerson {
  readonly id: string;
  readonly email?: string;
  readonly first_name?: string;
  readonly last_name?: string;
}

/** A local server in place of Facebook. */
export interface GraphStandIn {
  /** The base of its Graph API. */
  readonly graphUrl: string;
  /** Its login page, which asks nothing and sends the browser straight back. */
  readonly authUrl: string;
  close(): Promise<void>;
}

/** Serves answers, such as those of `graphAnswers`, on a free port of 127.0.0.1. */
export async function startGraphStandIn(answers: RequestListener): Promise<GraphStandIn> {
  const server = createServer(answers);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const graphUrl = `http://127.0.0.1:${port}`;
  return {
    graphUrl,
    authUrl: `${graphUrl}/dialog/oauth`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a login page promised when it gave a code out. */
interface Grant {
  readonly redirectUri: string;
  readonly challenge: string;
}

/**
 * The login page, the token endpoint and `/me` as Facebook documents them: codes work once and for
 * their redirect URI and PKCE challenge, tokens with the proof of the application's secret.
 */
export function graphAnswers(app: GraphApp, person: GraphPerson): RequestListener {
  const grants = new Map<string, Grant>();
  const tokens = new Set<string>();

  function login(query: URLSearchParams, response: ServerResponse): void {
    const redirectUri = query.get("redirect_uri") ?? "";
    if (query.get("client_id") !== app.clientId || !URL.canParse(redirectUri)) {
      refuse(response, 101, "Error validating application. Invalid application ID.");
      return;
    }
    const code = randomBytes(24).toString("base64url");
    grants.set(code, { redirectUri, challenge: query.get("code_challenge") ?? "" });
    const back = new URL(redirectUri);
    back.searchParams.set("code", code);
    back.searchParams.set("state", query.get("state") ?? "");
    response.writeHead(302, { location: back.href }).end();
  }

  function giveToken(query: URLSearchParams, response: ServerResponse): void {
    if (query.get("client_id") !== app.clientId) {
      refuse(response, 101, "Error validating application. Invalid application ID.");
      return;
    }
    if (query.get("client_secret") !== app.clientSecret) {
      refuse(response, 1, "Error validating client secret.");
      return;
    }
    const code = query.get("code") ?? "";
    const grant = grants.get(code);
    grants.delete(code);
    if (grant === undefined) {
      refuse(response, 100, "Invalid verification code format.");
      return;
    }
    const verifier = query.get("code_verifier") ?? "";
    const proven = grant.challenge === "" || challengeOf(verifier) === grant.challenge;
    if (query.get("redirect_uri") !== grant.redirectUri || !proven) {
      refuse(response, 100, "Error validating verification code.");
      return;
    }
    const token = randomBytes(24).toString("base64url");
    tokens.add(token);
    answer(response, 200, { access_token: token, token_type: "bearer", expires_in: 5_183_944 });
  }

  function tellPerson(query: URLSearchParams, response: ServerResponse): void {
    const token = query.get("access_token") ?? "";
    const proof = createHmac("sha256", app.clientSecret).update(token).digest("hex");
    if (!tokens.has(token)) {
      refuse(response, 190, "Invalid OAuth access token.");
    } else if (query.get("appsecret_proof") !== proof) {
      refuse(response, 100, "Invalid appsecret_proof provided in the API argument");
    } else {
      const fields = (query.get("fields") ?? "id").split(",");
      const told = Object.entries(person).filter(([field]) => fields.includes(field));
      answer(response, 200, Object.fromEntries(told));
    }
  }

  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    switch (url.pathname) {
      case "/dialog/oauth":
        return login(url.searchParams, response);
      case "/oauth/access_token":
        return giveToken(url.searchParams, response);
      case "/me":
        return tellPerson(url.searchParams, response);
      default:
        return answer(response, 404, {});
    }
  };
}

function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function refuse(response: ServerResponse, code: number, message: string): void {
  answer(response, 400, { error: { message, type: "OAuthException", code, fbtrace_id: "local" } });
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8" });
  response.end(JSON.stringify(body));
}
