import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { startGraph } from "../auth/graph-stand-in.ts";
import { browse, refused } from "../auth/room.ts";
import { answerJson } from "../auth/stand-in.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";
import { clientOf } from "../support/service.ts";

const APP = { clientId: "app", clientSecret: "the app's secret" };
const REDIRECT_URI = "https://app.example/back";

/** Milliseconds after Facebook's last word, which is when the user is made and told to the caller. */
const DELAYS_MS = [0, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];

/** Where a process is killed in the middle of SocialAuth. */
type Point = "asking for a token" | "asking for the profile" | number;

const points: readonly Point[] = ["asking for a token", "asking for the profile", ...DELAYS_MS];

test("a kill between any two steps of SocialAuth leaves no half-made user", async (t) => {
  const graph = await startGraph(APP, { id: "0" });
  t.after(() => graph.close());
  const folder = temporaryFolder(t);
  const listens = await freeListens();
  const env = {
    USHER_AUTH_FACEBOOK_CLIENT_ID: APP.clientId,
    USHER_AUTH_FACEBOOK_CLIENT_SECRET: APP.clientSecret,
    USHER_AUTH_FACEBOOK_REDIRECT_URIS: REDIRECT_URI,
    USHER_AUTH_FACEBOOK_GRAPH_URL: graph.graphUrl,
    USHER_AUTH_FACEBOOK_AUTH_URL: graph.authUrl,
    USHER_AUTH_FACEBOOK_TRUST_EMAIL: "true",
  };
  let running = await startProcess(t, folder, listens, env);

  for (const [nth, point] of points.entries()) {
    const client = newClient(listens);
    const person = { id: `${nth}`, email: `p${nth}@example.com`, first_name: "Ada" };
    const begun = await begin(client);
    const killed = new Promise<void>((resolve) => {
      const kill = (): void => void running.end("SIGKILL").then(() => resolve());
      graph.behaviour.token = (response) => {
        if (point === "asking for a token") kill();
        else answerJson(response, 200, { access_token: "t" });
      };
      graph.behaviour.me = (response) => {
        if (typeof point !== "number") return kill();
        response.on("finish", () => void pause(point).then(kill));
        answerJson(response, 200, person);
      };
    });
    const told = await client.socialAuth(begun).catch(() => undefined);
    await killed;

    running = await startProcess(t, folder, listens, env);
    const restarted = newClient(listens);
    const { users } = await restarted.listUsers({ pageSize: 1_000 });
    for (const user of users) {
      assert.equal(user.active, true);
      assert.equal(user.socialAccounts.length, 1);
      assert.equal(user.email, user.socialAccounts[0]?.email);
      const { sessions } = await restarted.listSessions({ userId: user.id });
      assert.ok(sessions.length > 0, "a user was made without the session");
    }
    const made = users.find(({ email }) => email === person.email);
    if (told !== undefined) {
      assert.equal(made?.id, told.user?.id, "who was answered is there");
      await restarted.checkSession({ token: told.session?.token ?? "" });
    }
    await refused(restarted.socialAuth(begun), "WRONG_STATE");

    graph.behaviour.token = (response) => answerJson(response, 200, { access_token: "t" });
    graph.behaviour.me = (response) => answerJson(response, 200, person);
    const again = await restarted.socialAuth(await begin(restarted));
    assert.equal(again.created, made === undefined);
    if (made !== undefined) assert.equal(again.user?.id, made.id);
  }
  const last = await newClient(listens).listUsers({ pageSize: 1_000 });
  assert.equal(last.users.length, points.length);
});

function newClient(listens: { grpc: string; http: string }): Client<typeof AuthService> {
  const addresses = { grpcAddress: listens.grpc, httpAddress: listens.http };
  return clientOf(addresses, AuthService, "Connect over HTTP/1.1");
}

async function begin(client: Client<typeof AuthService>) {
  const asked = { provider: "facebook", redirectUri: REDIRECT_URI };
  const { url } = await client.getSocialAuthUrl(asked);
  return { provider: "facebook", ...(await browse(url)) };
}
