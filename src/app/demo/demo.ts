import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../config/config.ts";
import { silentLog } from "../../logging/log.ts";
import { type RunningUsher, startUsher } from "../usher.ts";
import { graphAnswers, startGraphStandIn } from "./graph-stand-in.ts";

const APP = { clientId: "demo-app", clientSecret: "demo-secret" };
const PERSON = {
  id: "10223344556677889",
  email: "ada@example.com",
  first_name: "Ada",
  last_name: "Lovelace",
};
const REDIRECT_URI = "http://127.0.0.1/signed-in";

/** Prints a line for the person who watches. */
type Say = (line: string) => void;

/**
 * Walks the main job in one process: sign in through Facebook, put a task, take it, ack it. The
 * service is the real one, on free ports and a database that is thrown away; Facebook is a local
 * stand-in. Says every call and its answer. Rejects if an answer is not what it should be.
 */
export async function runDemo(say: Say): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "usher-demo-"));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(folder, { recursive: true }));
  const facebook = await startGraphStandIn(graphAnswers(APP, PERSON));
  cleanUp.defer(() => facebook.close());
  const usher = await startForDemo(folder, facebook);
  cleanUp.defer(() => usher.stop());
  say(`Usher: gRPC on ${usher.grpcAddress}, JSON on http://${usher.httpAddress}`);
  say(`Facebook: a stand-in on ${facebook.graphUrl}`);

  const call = caller(usher, say);
  await signIn(call, say);
  await passATask(call, say);
  say("\nThat was all of it: signed in, and a task put, taken and done.");
}

async function startForDemo(
  folder: string,
  facebook: { graphUrl: string; authUrl: string },
): Promise<RunningUsher> {
  const parsed = parseConfig({
    env: {
      USHER_STORAGE: `sqlite:${folder}`,
      USHER_GRPC_LISTEN: "127.0.0.1:0",
      USHER_HTTP_LISTEN: "127.0.0.1:0",
      USHER_AUTH_FACEBOOK_CLIENT_ID: APP.clientId,
      USHER_AUTH_FACEBOOK_CLIENT_SECRET: APP.clientSecret,
      USHER_AUTH_FACEBOOK_REDIRECT_URIS: REDIRECT_URI,
      USHER_AUTH_FACEBOOK_GRAPH_URL: facebook.graphUrl,
      USHER_AUTH_FACEBOOK_AUTH_URL: facebook.authUrl,
    },
    readSecretFile: (path) => readFileSync(path, "utf8"),
  });
  if ("faults" in parsed) throw new Error(parsed.faults.join("\n"));
  return startUsher(parsed.config, { log: silentLog, clock: systemClock });
}

type Answer = Record<string, unknown>;
type Call = (rpc: string, request: object) => Promise<Answer>;

/** Calls RPCs by JSON, as curl would. */
function caller(usher: RunningUsher, say: Say): Call {
  return async (rpc, request) => {
    const body = JSON.stringify(request);
    say(`\n> ${rpc}\n  ${body}`);
    const response = await fetch(`http://${usher.httpAddress}/${rpc}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const answer = (await response.json()) as Answer;
    say(`< ${response.status}\n  ${JSON.stringify(answer)}`);
    if (!response.ok) throw new Error(`${rpc} answered ${response.status}`);
    return answer;
  };
}

async function signIn(call: Call, say: Say): Promise<void> {
  const auth = "usher.auth.v1.AuthService";
  say("\nSign in: a web backend asks where to send its user,");
  const asked = await call(`${auth}/GetSocialAuthUrl`, {
    provider: "facebook",
    redirectUri: REDIRECT_URI,
  });
  say("\nthe user's browser goes there and comes back with a code,");
  const login = await fetch(text(asked, "url"), { redirect: "manual" });
  const back = new URL(login.headers.get("location") ?? "");
  say(`  ${back.origin}${back.pathname}?code=...&state=...`);
  say("\nand the backend trades the code for a user and a session.");
  const signedIn = await call(`${auth}/SocialAuth`, {
    provider: "facebook",
    code: back.searchParams.get("code"),
    state: back.searchParams.get("state"),
  });
  const token = text(signedIn["session"], "token");
  say("\nLater calls of that user come with the token.");
  await call(`${auth}/CheckSession`, { token });
  await call(`${auth}/SignOut`, { token });
}

async function passATask(call: Call, say: Say): Promise<void> {
  const queue = "usher.queue.v1.QueueService";
  say("\nQueues: a tube, a task put by one service,");
  await call(`${queue}/CreateTube`, { tube: { name: "mail", kind: "TUBE_KIND_FIFO" } });
  await call(`${queue}/Put`, {
    tube: "mail",
    task: { payload: { json: { to: PERSON.email, template: "welcome" } } },
  });
  say("\ntaken by another, which waits for one if there is none,");
  const taken = await call(`${queue}/Take`, { tube: "mail", wait: "5s" });
  const [task] = taken["tasks"] as Answer[];
  say("\nand acked when the work is done.");
  await call(`${queue}/Ack`, { lease: text(task, "lease") });
}

function text(of: unknown, key: string): string {
  const value = (of as Answer | undefined)?.[key];
  if (typeof value !== "string") throw new Error(`the answer has no ${key}`);
  return value;
}
