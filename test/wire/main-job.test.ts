import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, type TestContext } from "node:test";
import { promisify } from "node:util";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { graphAnswers, startGraphStandIn } from "../../src/app/demo/graph-stand-in.ts";
import type { RunningUsher } from "../../src/app/usher.ts";
import { grpcurl } from "../support/grpcurl.ts";
import { test } from "../support/on-each-storage.ts";
import { callJson, clientOf, startService, ways } from "../support/service.ts";

const run = promisify(execFile);
const BUF = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

const QUEUE = "usher.queue.v1.QueueService";
const AUTH = "usher.auth.v1.AuthService";
const REDIRECT_URI = "https://app.example/back";
const APP = { clientId: "app", clientSecret: "the app's secret" };
const PERSON = { id: "10223344556677889", email: "ada@example.com", first_name: "Ada" };

async function startWithFacebook(t: TestContext): Promise<RunningUsher> {
  const facebook = await startGraphStandIn(graphAnswers(APP, PERSON));
  t.after(() => facebook.close());
  return startService(t, {
    USHER_AUTH_FACEBOOK_CLIENT_ID: APP.clientId,
    USHER_AUTH_FACEBOOK_CLIENT_SECRET: APP.clientSecret,
    USHER_AUTH_FACEBOOK_REDIRECT_URIS: REDIRECT_URI,
    USHER_AUTH_FACEBOOK_GRAPH_URL: facebook.graphUrl,
    USHER_AUTH_FACEBOOK_AUTH_URL: facebook.authUrl,
  });
}

/** What the login page sends the browser back with. */
async function browse(url: string): Promise<{ code: string; state: string }> {
  const answer = await fetch(url, { redirect: "manual" });
  const back = new URL(answer.headers.get("location") ?? "");
  return {
    code: back.searchParams.get("code") ?? "",
    state: back.searchParams.get("state") ?? "",
  };
}

describe("the main job: sign in through Facebook, put a task, take it, ack it", () => {
  for (const way of ways) {
    test(`by a generated client over ${way}`, async (t) => {
      const usher = await startWithFacebook(t);
      const auth = clientOf(usher, AuthService, way);
      const queue = clientOf(usher, QueueService, way);

      const { url } = await auth.getSocialAuthUrl({
        provider: "facebook",
        redirectUri: REDIRECT_URI,
      });
      const signedIn = await auth.socialAuth({ provider: "facebook", ...(await browse(url)) });
      assert.equal(signedIn.created, true);
      assert.equal(signedIn.user?.profile?.firstName, "Ada");
      const token = signedIn.session?.token ?? "";
      const checked = await auth.checkSession({ token });
      assert.equal(checked.user?.id, signedIn.user?.id);
      await auth.signOut({ token });
      await assert.rejects(auth.checkSession({ token }), { rawMessage: /session/ });

      await queue.createTube({ tube: { name: "mail", kind: TubeKind.FIFO } });
      const payload = { content: { case: "text" as const, value: "task_1" } };
      const put = await queue.put({ tube: "mail", task: { payload } });
      assert.equal(put.task?.id, 1n);
      const { tasks } = await queue.take({ tube: "mail", maxTasks: 10 });
      assert.equal(tasks.length, 1);
      assert.equal(tasks[0]?.payload?.content.value, "task_1");
      assert.equal(tasks[0]?.state, TaskState.LEASED);
      const acked = await queue.ack({ lease: tasks[0]?.lease ?? "" });
      assert.equal(acked.task?.state, TaskState.DONE);
      await assert.rejects(queue.ack({ lease: tasks[0]?.lease ?? "" }), /lease/);
    });
  }

  test("by curl with JSON", async (t) => {
    const usher = await startWithFacebook(t);
    const curl = async (rpc: string, request: object) => {
      const { stdout } = await run("curl", [
        ...["--silent", "--show-error", "--header", "Content-Type: application/json"],
        ...["--data", JSON.stringify(request), `http://${usher.httpAddress}/${rpc}`],
      ]);
      return JSON.parse(stdout);
    };
    const asked = await curl(`${AUTH}/GetSocialAuthUrl`, {
      provider: "facebook",
      redirectUri: REDIRECT_URI,
    });
    const back = await browse(asked.url);
    const signedIn = await curl(`${AUTH}/SocialAuth`, { provider: "facebook", ...back });
    assert.equal(signedIn.user.active, true);
    // Facebook does not say whether an email is verified: it stays with the social account.
    assert.equal(signedIn.user.email, undefined);
    const [account] = signedIn.user.socialAccounts;
    assert.equal(account.provider, "facebook");
    assert.equal(account.socialId, PERSON.id);
    assert.equal(account.email, PERSON.email);
    assert.equal(signedIn.created, true);

    const created = { tube: { name: "test_queue", kind: "TUBE_KIND_FIFO" }, ifNotExists: true };
    assert.equal((await curl(`${QUEUE}/CreateTube`, created)).tube.name, "test_queue");
    const put = { tube: "test_queue", task: { payload: { text: "task_1" } } };
    assert.equal((await curl(`${QUEUE}/Put`, put)).task.id, "1");
    const take = { tube: "test_queue", maxTasks: 10, wait: "5s" };
    const [task] = (await curl(`${QUEUE}/Take`, take)).tasks;
    assert.equal(task.state, "TASK_STATE_LEASED");
    assert.deepEqual(task.payload, { text: "task_1" });
    assert.equal(task.attempt, 1);
    assert.match(task.fence, /^\d+$/);
    await curl(`${QUEUE}/Ack`, { lease: task.lease });
    const again = await curl(`${QUEUE}/Ack`, { lease: task.lease });
    assert.equal(again.details[0].debug.reason, "LEASE_LOST");
  });

  test("by buf curl over gRPC with reflection", async (t) => {
    const usher = await startService(t);
    const call = async (address: string, rpc: string, request: object) => {
      const { stdout } = await run(BUF, [
        ...["curl", "--protocol", "grpc", "--http2-prior-knowledge"],
        ...["--data", JSON.stringify(request), `http://${address}/${rpc}`],
      ]);
      return JSON.parse(stdout);
    };
    for (const address of [usher.grpcAddress, usher.httpAddress]) {
      const listing = ["curl", "--http2-prior-knowledge", "--protocol", "grpc", "--list-methods"];
      const { stdout } = await run(BUF, [...listing, `http://${address}`]);
      assert.match(stdout, /usher\.auth\.v1\.AuthService\/SocialAuth/);
      assert.match(stdout, /usher\.queue\.v1\.QueueService\/Take/);
    }
    const { grpcAddress: address } = usher;
    await call(address, `${QUEUE}/CreateTube`, { tube: { name: "q", kind: "TUBE_KIND_FIFO" } });
    await call(address, `${QUEUE}/Put`, { tube: "q", task: { payload: { json: [1, null] } } });
    const { tasks } = await call(address, `${QUEUE}/Take`, { tube: "q" });
    assert.deepEqual(tasks[0].payload, { json: [1, null] });
    await call(address, `${QUEUE}/Ack`, { lease: tasks[0].lease });
  });

  test("by grpcurl, which lists and describes both services by reflection", async (t) => {
    const tool = await grpcurl(t);
    if (tool === undefined) return;
    const usher = await startService(t);
    const call = async (...args: string[]) =>
      (await run(tool, ["-plaintext", ...args])).stdout.trim();
    const address = usher.grpcAddress;
    const services = (await call(address, "list")).split("\n");
    assert.ok(services.includes(QUEUE) && services.includes(AUTH), services.join());
    assert.match(await call(address, "describe", QUEUE), /rpc Take/);
    assert.match(await call(address, "describe", AUTH), /rpc SocialAuth/);
    // A client that works by reflection must know which fields can be told from unset ones.
    assert.match(
      await call(address, "describe", "usher.queue.v1.NewTask"),
      /optional uint32 priority/,
    );
    const tube = JSON.stringify({ tube: { name: "q", kind: "TUBE_KIND_FIFO" } });
    await call("-d", tube, address, `${QUEUE}/CreateTube`);
    const put = JSON.stringify({ tube: "q", task: { payload: { text: "task_1" } } });
    await call("-d", put, address, `${QUEUE}/Put`);
    const taken = JSON.parse(await call("-d", '{"tube":"q"}', address, `${QUEUE}/Take`));
    const lease = JSON.stringify({ lease: taken.tasks[0].lease });
    await call("-d", lease, address, `${QUEUE}/Ack`);
    const refused = await call("-d", lease, address, `${QUEUE}/Ack`).catch(String);
    assert.match(refused, /FailedPrecondition[\s\S]*LEASE_LOST/);
  });

  test("by npm run demo, which exits 0", async () => {
    const { stdout } = await run(process.execPath, [MAIN, "demo"]);
    for (const rpc of ["SocialAuth", "CheckSession", "Put", "Take", "Ack"]) {
      assert.match(stdout, new RegExp(`/${rpc}\\n`));
    }
    assert.match(stdout, /"state":"TASK_STATE_DONE"/);
  });
});

test("a call of another service or none is told so", async (t) => {
  const usher = await startService(t);
  const unknown = await fetch(`http://${usher.httpAddress}/usher.queue.v1.QueueService/Nope`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(unknown.status, 404);
  await unknown.body?.cancel();
  const { status } = await callJson(usher, `${QUEUE}/GetTube`, { tube: "nope" });
  assert.equal(status, 404);
});
