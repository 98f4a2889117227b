import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { type TestContext, test } from "node:test";
import { graphAnswers, startGraphStandIn } from "../../../src/app/demo/graph-stand-in.ts";

const app = { clientId: "1", clientSecret: "secret" };
const redirectUri = "https://app.example/back";
const verifier = "v".repeat(43);
const challenge = createHash("sha256").update(verifier).digest("base64url");

type Parameters = Readonly<Record<string, string>>;

/** Calls of the stand-in: what it answers, by path and parameters. */
async function start(t: TestContext) {
  const standIn = await startGraphStandIn(graphAnswers(app, { id: "7", first_name: "Ann" }));
  t.after(() => standIn.close());
  const call = (url: string, parameters: Parameters): Promise<Response> =>
    fetch(`${url}?${new URLSearchParams(parameters)}`, { redirect: "manual" });
  return {
    login: (given: Parameters = {}) =>
      call(standIn.authUrl, {
        client_id: app.clientId,
        redirect_uri: redirectUri,
        state: "s",
        code_challenge: challenge,
        ...given,
      }),
    token: (code: string, given: Parameters = {}) =>
      call(`${standIn.graphUrl}/oauth/access_token`, {
        client_id: app.clientId,
        client_secret: app.clientSecret,
        redirect_uri: redirectUri,
        code,
        code_verifier: verifier,
        ...given,
      }),
    get: (path: string, parameters: Parameters) => call(standIn.graphUrl + path, parameters),
  };
}

async function newCode(graph: Awaited<ReturnType<typeof start>>): Promise<string> {
  const location = new URL((await graph.login()).headers.get("location") ?? "");
  assert.equal(location.searchParams.get("state"), "s");
  return location.searchParams.get("code") ?? "";
}

async function codeOfError(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { type: string; code: number } };
  assert.equal(error.type, "OAuthException");
  return error.code;
}

test("the stand-in for Facebook tells the person to whoever went the whole way", async (t) => {
  const graph = await start(t);
  const granted = await graph.token(await newCode(graph));
  const { access_token } = (await granted.json()) as { access_token: string };
  const proof = createHmac("sha256", app.clientSecret).update(access_token).digest("hex");
  const fields = "id,email,first_name";
  const me = await graph.get("/me", { access_token, appsecret_proof: proof, fields });
  assert.deepEqual(await me.json(), { id: "7", first_name: "Ann" });
  assert.equal(await codeOfError(graph.get("/me", { access_token, appsecret_proof: "no" })), 100);
});

test("the stand-in for Facebook refuses what Facebook refuses", async (t) => {
  const graph = await start(t);
  assert.equal(await codeOfError(graph.login({ client_id: "2" })), 101);
  assert.equal(await codeOfError(graph.login({ redirect_uri: "nowhere" })), 101);
  const wrongs = [
    { given: { client_id: "2" }, code: 101 },
    { given: { client_secret: "wrong" }, code: 1 },
    { given: { code: "wrong" }, code: 100 },
    { given: { redirect_uri: "https://other.example" }, code: 100 },
    { given: { code_verifier: "wrong" }, code: 100 },
  ];
  for (const { given, code } of wrongs) {
    assert.equal(await codeOfError(graph.token(await newCode(graph), given as Parameters)), code);
  }
  const used = await newCode(graph);
  await graph.token(used);
  assert.equal(await codeOfError(graph.token(used)), 100);
  assert.equal(await codeOfError(graph.get("/me", { access_token: "wrong" })), 190);
  assert.equal((await graph.get("/you", {})).status, 404);
});
