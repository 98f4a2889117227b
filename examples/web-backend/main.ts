/**
 * Sign-up, sign-in and sign-out of a web site, over Usher: what browsers call, as JSON.
 * Run it with: npx node examples/web-backend/main.ts
 *
 * Codes and tokens reach users by mail: set `auth.mail_tube` and run examples/mail-worker.
 */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { UsherClient, UsherClientError } from "usher/client";

const { values } = parseArgs({
  options: {
    usher: { type: "string", default: "127.0.0.1:50051" },
    port: { type: "string", default: "3000" },
    // As browsers see it. Providers send them back to /signed-in/<provider> there.
    site: { type: "string", default: "http://localhost:3000" },
  },
});

const { auth } = UsherClient.connect(values.usher);

type Body = Readonly<Record<string, string>>;
interface Call {
  readonly body: Body;
  readonly query: URLSearchParams;
  readonly cookies: ReadonlyMap<string, string>;
  readonly response: ServerResponse;
  /** Whom the session is of, for the user's list of devices, and to count failures by. */
  readonly origin: { readonly device: string; readonly address: string };
}

/** What is answered as JSON; undefined: the route has answered. */
type Route = (call: Call) => Promise<object | undefined>;

const SESSION = "session";
const STATE = "sign-in-state";
const WEEK = 7 * 24 * 3_600;

const routes: Readonly<Record<string, Route>> = {
  async "POST /sign-up"({ body }) {
    try {
      await auth.register({ email: body["email"] ?? "" });
    } catch (error) {
      // Nobody learns here who has an account.
      if (reasonOf(error) !== "USER_ALREADY_EXISTS") throw error;
    }
    return { next: "look into your mail" };
  },

  async "POST /activate"({ body: { email = "", code = "", password = "" } }) {
    await auth.completeRegistration({ email, code, password });
    return { next: "sign in" };
  },

  async "POST /sign-in"({ body: { email = "", password = "" }, origin, response }) {
    const { user, session } = await auth.signIn({ email, password, ...origin });
    setCookie(response, SESSION, session?.token ?? "", WEEK);
    return { user: { id: user?.id, email: user?.email } };
  },

  // The first thing for every call of a user who is signed in.
  async "GET /me"({ cookies, response }) {
    try {
      const checked = await auth.checkSession({ token: cookies.get(SESSION) ?? "" });
      // It was renewed: the old token works for 60 seconds more.
      if (checked.session?.token) setCookie(response, SESSION, checked.session.token, WEEK);
      // Send checked.accessToken along to the services behind this one.
      return { user: { id: checked.user?.id, email: checked.user?.email } };
    } catch (error) {
      const reason = reasonOf(error);
      const over = ["NOT_AUTHENTICATED", "WRONG_SESSION_SIGN", "USER_NOT_ACTIVE", "INVALID_PARAMS"];
      if (!over.includes(reason)) throw error;
      setCookie(response, SESSION, "", 0);
      response.statusCode = 401;
      return { error: "NOT_AUTHENTICATED" };
    }
  },

  async "POST /sign-out"({ cookies, response }) {
    await auth.signOut({ token: cookies.get(SESSION) ?? "" }).catch(() => {});
    setCookie(response, SESSION, "", 0);
    return {};
  },

  async "POST /forgot-password"({ body: { email = "" } }) {
    try {
      await auth.requestPasswordReset({ email });
    } catch (error) {
      if (!["USER_NOT_FOUND", "USER_NOT_ACTIVE"].includes(reasonOf(error))) throw error;
    }
    return { next: "look into your mail" };
  },

  async "POST /reset-password"({ body: { email = "", token: resetToken = "", password = "" } }) {
    await auth.completePasswordReset({ email, resetToken, password });
    return { next: "sign in" };
  },

  // A button "sign in with" leads here.
  async "GET /sign-in-with"({ query, response }) {
    const provider = query.get("provider") ?? "";
    const redirectUri = `${values.site}/signed-in?provider=${provider}`;
    const { url, state } = await auth.getSocialAuthUrl({ provider, redirectUri });
    setCookie(response, STATE, state, 600);
    response.writeHead(302, { location: url }).end();
    return undefined;
  },

  async "GET /signed-in"({ query, cookies, origin, response }) {
    const [provider, code, state, deviceId] = [
      query.get("provider") ?? "",
      query.get("code") ?? "",
      query.get("state") ?? "",
      query.get("device_id") ?? "",
    ];
    // The browser that comes back must be the one that was sent away.
    if (!isSame(state, cookies.get(STATE) ?? "")) {
      response.statusCode = 400;
      return { error: "WRONG_STATE" };
    }
    const { session } = await auth.socialAuth({ provider, code, state, deviceId, ...origin });
    setCookie(response, SESSION, session?.token ?? "", WEEK);
    response.writeHead(302, { location: "/" }).end();
    return undefined;
  },
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", values.site);
  const route = routes[`${request.method} ${url.pathname}`];
  const fromHere = request.headers.origin === undefined || request.headers.origin === values.site;
  if (route === undefined || !fromHere) return void response.writeHead(404).end();
  try {
    const result = await route({
      body: request.method === "POST" ? ((await json(request)) as Body) : {},
      query: url.searchParams,
      cookies: readCookies(request.headers.cookie),
      response,
      origin: {
        device: request.headers["user-agent"] ?? "",
        // Behind a proxy it is in a header of the proxy's.
        address: request.socket.remoteAddress ?? "",
      },
    });
    if (result !== undefined) sendJson(response, result);
  } catch (error) {
    response.statusCode = statusOf(error);
    if (response.statusCode === 500) console.error(error);
    sendJson(response, { error: reasonOf(error) });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof UsherClientError ? error.reason : "";
}

function statusOf(error: unknown): number {
  if (error instanceof SyntaxError) return 400;
  if (!(error instanceof UsherClientError)) return 500;
  const statuses: Readonly<Record<string, number>> = {
    INVALID_ARGUMENT: 400,
    UNAUTHENTICATED: 401,
    FAILED_PRECONDITION: 409,
    RESOURCE_EXHAUSTED: 429,
    UNAVAILABLE: 503,
  };
  return statuses[error.code] ?? 500;
}

function sendJson(response: ServerResponse, value: object): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

/** No script of a page reads it, and no other site's form sends it along. */
function setCookie(response: ServerResponse, name: string, value: string, seconds: number): void {
  const secure = values.site.startsWith("https:") ? "; Secure" : "";
  const cookie = `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
  response.appendHeader("set-cookie", cookie);
}

function readCookies(header = ""): Map<string, string> {
  return new Map(
    header.split("; ").map((pair): [string, string] => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return one !== "" && a.length === b.length && timingSafeEqual(a, b);
}

createServer((request, response) => void answer(request, response)).listen(
  Number(values.port),
  "127.0.0.1",
  () => console.log(`the web site's backend listens on 127.0.0.1:${values.port}`),
);
