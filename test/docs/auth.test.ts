import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { clientOf, startService } from "../support/service.ts";

const ROOT = new URL("../..", import.meta.url);

/** What the reader of docs/auth.md is told to write, for the addresses of a running service. */
function exampleFor(addresses: { grpcAddress: string; httpAddress: string }): string {
  const page = readFileSync(new URL("docs/auth.md", ROOT), "utf8");
  const code = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  const example = code.find((block) => block.includes("followRevocations"));
  assert.ok(example);
  return example
    .replaceAll("127.0.0.1:50051", addresses.grpcAddress)
    .replaceAll("127.0.0.1:8080", addresses.httpAddress);
}

/** Answers every token that comes in a line with what the example makes of it. */
const driver = `
void followRevocations();
process.stdin.setEncoding("utf8");
process.stdin.on("data", async (token) => {
  const answer = await authenticate(token.trim()).then(JSON.stringify, (error) => error.message);
  console.log(answer);
});
`;

test("the service in docs/auth.md that checks tokens by itself does what the page says", async (t) => {
  const usher = await startService(t);
  const client = clientOf(usher, AuthService);
  const email = "ann@example.com";
  const password = "Correct horse 1";
  const { activationCode: code } = await client.register({ email });
  await client.completeRegistration({ email, code, password });
  const args = ["--input-type=module-typescript", "-e", exampleFor(usher) + driver];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const ask = async (token: string): Promise<string> => {
    child.stdin.write(`${token}\n`);
    const [line] = (await once(lines, "line")) as [string];
    return line;
  };

  // It watches from when it got round to it: what was revoked before is not told.
  for (;;) {
    const { user, session, accessToken } = await client.signIn({ email, password });
    const known = JSON.stringify({ userId: user?.id, sessionId: session?.id });
    assert.equal(await ask(accessToken), known);
    assert.notEqual(await ask(`${accessToken.slice(0, -4)}AAAA`), known);
    await client.signOut({ token: session?.token ?? "" });
    for (let tries = 0; tries < 20; tries++) {
      const answer = await ask(accessToken);
      if (answer === "the token is revoked") return;
      assert.equal(answer, known);
      await pause(100);
    }
  }
});
