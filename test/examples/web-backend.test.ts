import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { freePort } from "../../scripts/free-port.ts";
import { OTHER_PASSWORD, PASSWORD } from "../auth/accounts.ts";
import { startGraph } from "../auth/graph-stand-in.ts";
import { clientOf, startService } from "../support/service.ts";

const MAIN = new URL("../../examples/web-backend/main.ts", import.meta.url).pathname;
const APP = { clientId: "app", clientSecret: "the app's secret" };
const email = "ann@example.com";

/** As much of a browser as signing in takes. */
class Browser {
  readonly #site: string;
  readonly #cookies = new Map<string, string>();

  constructor(site: string) {
    this.#site = site;
  }

  async get(path: string): Promise<Response> {
    const url = new URL(path, this.#site);
    const ours = url.origin === this.#site;
    const headers = ours ? this.#headers() : {};
    return this.#keep(await fetch(url, { headers, redirect: "manual" }));
  }

  async post(path: string, body: object): Promise<{ status: number; body: unknown }> {
    const response = await fetch(new URL(path, this.#site), {
      method: "POST",
      headers: { ...this.#headers(), "content-type": "application/json", origin: this.#site },
      body: JSON.stringify(body),
    });
    this.#keep(response);
    return { status: response.status, body: await response.json() };
  }

  #headers(): Record<string, string> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return { cookie, "user-agent": "Browser" };
  }

  #keep(response: Response): Response {
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = "", age] = /^([^=]+)=([^;]*);.*Max-Age=(\d+)/.exec(cookie) ?? [];
      if (age === "0") this.#cookies.delete(name);
      else this.#cookies.set(name, value);
      assert.match(cookie, /; HttpOnly; SameSite=Lax/);
    }
    return response;
  }
}

test("the web backend signs users up, in and out, by password and through a provider", async (t) => {
  const port = await freePort();
  const site = `http://127.0.0.1:${port}`;
  const graph = await startGraph(APP, { id: "7", email: "bob@example.com", first_name: "Bob" });
  t.after(() => graph.close());
  const usher = await startService(t, {
    USHER_AUTH_MAIL_TUBE: "mail",
    USHER_AUTH_PASSWORD_MEMORY: "1MiB",
    USHER_AUTH_FACEBOOK_CLIENT_ID: APP.clientId,
    USHER_AUTH_FACEBOOK_CLIENT_SECRET: APP.clientSecret,
    USHER_AUTH_FACEBOOK_REDIRECT_URIS: `${site}/signed-in?provider=facebook`,
    USHER_AUTH_FACEBOOK_GRAPH_URL: graph.graphUrl,
    USHER_AUTH_FACEBOOK_AUTH_URL: graph.authUrl,
  });
  const args = [MAIN, "--usher", usher.grpcAddress, "--port", `${port}`, "--site", site];
  const backend = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => backend.kill("SIGKILL"));
  await once(backend.stdout, "data");
  const queue = clientOf(usher, QueueService);
  const mailed = async (): Promise<Record<string, string>> => {
    const { tasks } = await queue.take({ tube: "mail", wait: { seconds: 5n } });
    const content = tasks[0]?.payload?.content;
    assert.ok(content?.case === "json");
    return toJson(ValueSchema, content.value) as Record<string, string>;
  };

  const browser = new Browser(site);
  assert.equal((await browser.get("/me")).status, 401);
  assert.equal((await browser.post("/sign-up", { email })).status, 200);
  const { code } = await mailed();
  const weak = await browser.post("/activate", { email, code, password: "weak" });
  assert.deepEqual(weak, { status: 400, body: { error: "WEAK_PASSWORD" } });
  await browser.post("/activate", { email, code, password: PASSWORD });
  // Said alike to whoever asks for an account that is there.
  assert.equal((await browser.post("/sign-up", { email })).status, 200);

  const wrong = await browser.post("/sign-in", { email, password: OTHER_PASSWORD });
  assert.deepEqual(wrong, { status: 401, body: { error: "WRONG_PASSWORD" } });
  assert.equal((await browser.post("/sign-in", { email, password: PASSWORD })).status, 200);
  const me = (await (await browser.get("/me")).json()) as { user: { email: string; id: string } };
  assert.equal(me.user.email, email);
  const auth = clientOf(usher, AuthService);
  const { sessions } = await auth.listSessions({ userId: me.user.id });
  assert.equal(sessions[0]?.device, "Browser");
  assert.equal(sessions[0]?.address, "127.0.0.1");

  for (const asked of [email, "nobody@example.com"]) {
    assert.equal((await browser.post("/forgot-password", { email: asked })).status, 200);
  }
  const { resetToken: token } = await mailed();
  await browser.post("/reset-password", { email, token, password: OTHER_PASSWORD });
  assert.equal((await browser.get("/me")).status, 401);
  await browser.post("/sign-in", { email, password: OTHER_PASSWORD });
  assert.equal((await browser.get("/me")).status, 200);
  await browser.post("/sign-out", {});
  assert.equal((await browser.get("/me")).status, 401);

  const toFacebook = await browser.get("/sign-in-with?provider=facebook");
  const back = await browser.get(toFacebook.headers.get("location") ?? "");
  const backUrl = back.headers.get("location") ?? "";
  const stranger = await new Browser(site).get(backUrl);
  assert.equal(stranger.status, 400);
  assert.equal((await browser.get(backUrl)).status, 302);
  assert.equal((await browser.get("/me")).status, 200);
});
